"""Who may use the management port, and where it listens."""

import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from chatconsole.api.messages import PREFIX
from chatconsole.beacon import beacons
from chathttp.management.server import ManagementOptions
from chathttp.settings import Settings, SettingsError
from tests.kit.console import console

SNAPSHOT = f"{PREFIX}/snapshot"


@pytest.mark.parametrize("path", [SNAPSHOT, f"{PREFIX}/stack", f"{PREFIX}/schema"])
@pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dG9rZW4="}])
async def test_console_asks_for_the_token(path: str, given: dict[str, str]) -> None:
    async with console() as client:
        status, body = await client.get(path, {"Host": "localhost", **given})
        assert (status, body["errorCode"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "[::2]", ""])
async def test_name_that_is_not_this_machines_is_refused_even_for_metrics(host: str) -> None:
    async with console() as client:
        given = {"Host": host, "Authorization": f"Bearer {client.server.token}"}
        for path in ("/metrics", SNAPSHOT):
            status, body = await client.get(path, given)
            assert (status, body["errorCode"]) == (403, "FORBIDDEN")


async def test_page_of_another_origin_is_refused_and_its_own_is_not() -> None:
    async with console() as client:
        here = f"127.0.0.1:{client.server.port}"
        given = {"Host": here, "Authorization": f"Bearer {client.server.token}"}
        assert (await client.get(SNAPSHOT, {**given, "Origin": f"http://{here}"}))[0] == 200
        for origin in ("http://evil.example", "null", "http://localhost:1", f"https://{here}"):
            assert (await client.get(SNAPSHOT, {**given, "Origin": origin}))[0] == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com", "2001:db8::1", "relative/path"])
def test_any_other_address_stops_the_start_with_one_line(host: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({"STACKMENTOR_MANAGEMENT_HOST": host})
    assert str(raised.value).startswith("STACKMENTOR_MANAGEMENT_HOST must be a loopback address")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "/run/stackmentor.sock"])
def test_addresses_of_this_machine_are_taken(host: str) -> None:
    assert Settings.from_environment({"STACKMENTOR_MANAGEMENT_HOST": host}).management_host == host


async def test_unix_socket_is_for_its_owner_only_and_goes_with_the_node(tmp_path: Path) -> None:
    path = tmp_path / "management.sock"
    for _ in range(2):
        async with console(options=ManagementOptions(host=str(path))) as client:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                answer = await http.get(SNAPSHOT, headers={"Authorization": f"Bearer {client.server.token}"})
                assert answer.status_code == 200
        assert not path.exists()


async def test_beacon_tells_its_owner_where_and_goes_with_the_node(tmp_path: Path) -> None:
    async with console(options=ManagementOptions(data_dir=tmp_path)) as one:
        async with console(options=ManagementOptions(data_dir=tmp_path)) as two:
            files = list((tmp_path / "console").iterdir())
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
            found = beacons(tmp_path)
            assert [(each.port, each.token) for each in found] == [
                (node.server.port, node.server.token) for node in (one, two)
            ]
            assert {each.pid for each in found} == {os.getpid()}
        assert [each.port for each in beacons(tmp_path)] == [one.server.port]
    assert list((tmp_path / "console").iterdir()) == []


async def test_node_serves_where_no_beacon_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "console").write_text("in the way", "utf-8")
    async with console(options=ManagementOptions(data_dir=tmp_path)) as client:
        assert (await client.snapshot())["version"] == 1


def test_stale_beacon_is_passed_over_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "console"
    folder.mkdir()
    stale = folder / f"{os.getpid()}-dead.json"
    stale.write_text('{"pid":1,"host":"127.0.0.1","port":1,"token":"t","started":1.0,"serves":""}', "utf-8")
    assert beacons(tmp_path) == []
    assert not stale.exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [("sections=nothing", "query"), ("limit=x", "query"), ("unknown=1", "query"), ("observe=99", "observe")],
)
async def test_query_that_makes_no_sense_is_refused(query: str, field: str) -> None:
    async with console() as client:
        status, body = await client.get(f"{SNAPSHOT}?{query}", authorized(client.server.token))
        assert (status, body["errorCode"]) == (400, "VALIDATION_ERROR")
        assert list(body["details"]) == [field]


async def test_unknown_task_has_no_stack() -> None:
    async with console() as client:
        assert (await client.get(f"{PREFIX}/stack?task=t0x"))[0] == 404


async def test_stack_names_each_call_and_what_is_open_in_it() -> None:
    async def sleeper() -> None:
        with trio.move_on_after(100):
            await trio.sleep_forever()

    async with console() as client, trio.open_nursery() as nursery:
        nursery.start_soon(sleeper, name="sleeper")
        rows: list[Any] = (await client.snapshot("sections=tasks&limit=2000&fan=100"))["tasks"]["rows"]
        [row] = [each for each in rows if each.get("name") == "sleeper"]
        assert row["scopes"][0]["deadline"] == pytest.approx(100, abs=5)
        status, stack = await client.get(f"{PREFIX}/stack?task={row['id']}")
        assert status == 200
        assert stack["frames"][0]["place"]["file"] == __file__
        assert "CancelScope" in str(stack["frames"][0]["contexts"]) or "CancelScope" in stack["text"]
        nursery.cancel_scope.cancel()


def authorized(token: str) -> dict[str, str]:
    return {"Host": "localhost", "Authorization": f"Bearer {token}"}
