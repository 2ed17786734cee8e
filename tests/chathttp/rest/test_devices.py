"""`/api/devices`."""

from collections.abc import AsyncGenerator

import pytest

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest

PHONE = "/api/devices/phone"


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(max_devices=1)) as kit:
        yield kit


@pytest.mark.contract("PUT /api/devices/{deviceId}")
async def test_put_device_registers_it_and_one_above_the_limit_is_refused(rest: RestKit) -> None:
    _, token = await rest.user("jan")
    given = {"platform": "ios", "pushToken": "abc"}
    assert (await rest.call("PUT", PHONE, given, token=token)).status == 204
    assert (await rest.call("PUT", PHONE, given, token=token)).status == 204
    answer = await rest.call("PUT", "/api/devices/tablet", {**given, "pushToken": "def"}, token=token)
    assert (answer.status, answer.error) == (409, "CONFLICT")


@pytest.mark.contract("DELETE /api/devices/{deviceId}")
async def test_delete_device_makes_room_for_another(rest: RestKit) -> None:
    _, token = await rest.user("jan")
    await rest.call("PUT", PHONE, {"platform": "ios", "pushToken": "abc"}, token=token)
    assert (await rest.call("DELETE", PHONE, token=token)).status == 204
    assert (await rest.call("DELETE", PHONE, token=token)).status == 204
    given = {"platform": "web", "pushToken": "def"}
    assert (await rest.call("PUT", "/api/devices/tablet", given, token=token)).status == 204


@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        ("/api/devices/a%20b", {"platform": "ios", "pushToken": "abc"}, "deviceId"),
        (PHONE, {"platform": "amiga", "pushToken": "abc"}, "platform"),
        (PHONE, {"platform": "ios", "pushToken": ""}, "pushToken"),
        (PHONE, {"platform": "ios", "pushToken": "x" * 2049}, "pushToken"),
    ],
)
async def test_what_is_no_device_is_refused(rest: RestKit, path: str, given: dict[str, str], field: str) -> None:
    _, token = await rest.user("jan")
    assert (await rest.call("PUT", path, given, token=token)).field == field
