"""`/api/features` and `/api/admin/features`."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import attrs
import pytest

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest

ALL = "/api/admin/features"
ONE = f"{ALL}/ai-suggestions"


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


@pytest.fixture
async def admin(rest: RestKit) -> str:
    return (await rest.user("admin", ("admins",)))[1]


@pytest.mark.contract("GET /api/features")
async def test_get_features_tells_the_caller_what_is_on_for_him(rest: RestKit, admin: str) -> None:
    beta_id, beta = await rest.user("beta")
    _, other = await rest.user("other")
    await rest.call("PUT", ONE, {"enabled": False, "betaUserIds": [str(beta_id)]}, token=admin)
    await rest.call("PUT", f"{ALL}/dark.mode_2", {"enabled": True}, token=admin)
    answer = await rest.call("GET", "/api/features", token=beta)
    assert (answer.status, answer.json) == (200, {"ai-suggestions": True, "dark.mode_2": True})
    assert (await rest.call("GET", "/api/features", token=other)).json == {
        "ai-suggestions": False,
        "dark.mode_2": True,
    }


@pytest.mark.contract("PUT /api/admin/features/{name}", "GET /api/admin/features")
async def test_put_admin_features_sets_the_whole_flag(rest: RestKit, admin: str) -> None:
    user_id = uuid4()
    given = {"enabled": False, "betaUserIds": [str(user_id)] * 2, "percent": 12.5}
    expected = {"name": "ai-suggestions", "enabled": False, "betaUserIds": [str(user_id)], "percent": 12.5}
    answer = await rest.call("PUT", ONE, given, token=admin)
    assert (answer.status, answer.json) == (200, expected)
    assert (await rest.call("GET", ALL, token=admin)).json == [expected]
    off = await rest.call("PUT", ONE, {"enabled": False}, token=admin)
    assert off.json == {"name": "ai-suggestions", "enabled": False, "betaUserIds": [], "percent": 0}


@pytest.mark.contract("DELETE /api/admin/features/{name}")
async def test_a_deleted_flag_is_gone(rest: RestKit, admin: str) -> None:
    await rest.call("PUT", ONE, {"enabled": True}, token=admin)
    assert (await rest.call("DELETE", ONE, token=admin)).status == 204
    assert (await rest.call("DELETE", ONE, token=admin)).json["errorCode"] == "NOT_FOUND"
    assert (await rest.call("GET", "/api/features", token=admin)).json == {}


@pytest.mark.parametrize("groups", [(), ("moderators",)])
async def test_only_admins_set_and_see_flags(rest: RestKit, groups: tuple[str, ...]) -> None:
    _, user = await rest.user("user", groups)
    for method, path, body in (("PUT", ONE, {"enabled": True}), ("DELETE", ONE, None), ("GET", ALL, None)):
        assert (await rest.call(method, path, body, token=user)).json["errorCode"] == "FORBIDDEN"
        assert (await rest.call(method, path, body)).json["errorCode"] == "UNAUTHORIZED"
    assert (await rest.call("GET", "/api/features", token=user)).json == {}


@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        (f"{ALL}/Upper", {"enabled": True}, "name"),
        (ONE, {}, "enabled"),
        (ONE, {"enabled": "yes"}, "enabled"),
        (ONE, {"enabled": True, "percent": 101}, "percent"),
        (ONE, {"enabled": True, "percent": -1}, "percent"),
        (ONE, {"enabled": True, "percent": 0.001}, "percent"),
        (ONE, {"enabled": True, "betaUserIds": ["bob"]}, "betaUserIds"),
    ],
)
async def test_what_makes_no_flag_is_refused(
    rest: RestKit, admin: str, path: str, given: dict[str, object], field: str
) -> None:
    answer = await rest.call("PUT", path, given, token=admin)
    assert answer.status == 400
    assert field in answer.field
    assert (await rest.call("GET", ALL, token=admin)).json == []


async def test_limits_of_flags_and_beta_users_are_settings() -> None:
    async with open_rest(attrs.evolve(Settings(), max_features=1, max_beta_users=1)) as rest:
        _, admin = await rest.user("admin", ("admins",))
        two = {"enabled": False, "betaUserIds": [str(uuid4()), str(uuid4())]}
        assert (await rest.call("PUT", ONE, two, token=admin)).field == "betaUserIds"
        assert (await rest.call("PUT", ONE, {"enabled": True}, token=admin)).status == 200
        assert (await rest.call("PUT", ONE, {"enabled": False}, token=admin)).status == 200
        assert (await rest.call("PUT", f"{ALL}/more", {"enabled": True}, token=admin)).json["errorCode"] == "CONFLICT"
