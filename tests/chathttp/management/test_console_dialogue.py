"""The console's WebSocket: looks, watches, stacks, and actions that must be confirmed."""

import json
import logging
import os
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import trio
from jsonschema import Draft202012Validator
from trio_websocket import open_websocket_url

from actors.runtime.mailbox import Mailbox
from chatconsole.api.messages import PREFIX, SUBPROTOCOL, TOKEN_SUBPROTOCOL
from chatconsole.beacon import beacons
from chathttp.management.server import ManagementOptions
from tests.chathttp.edge.edge_kit import until
from tests.kit.console import PlantedNode, console
from tests.kit.talk_console import talking


def check(document: Any, schema: Any) -> None:
    assert [error.message for error in cast("Any", Draft202012Validator(schema)).iter_errors(document)] == []


async def test_answers_and_snapshot_are_as_the_schema_says() -> None:
    async with console() as client, talking(client) as talk:
        _, schema = await client.get(f"{PREFIX}/schema")
        Draft202012Validator.check_schema(schema)
        answer = {"$ref": "#/$defs/Answer", "$defs": schema["$defs"]}
        check(await client.snapshot("observe=0.1"), schema)
        for request in (
            {"op": "look", "id": 1},
            {"op": "stack", "id": 2, "task": "t0"},
            {"op": "act", "id": 3, "action": "drain"},
            {"op": "act", "id": 4, "action": "no such"},
            {"op": "confirm", "id": 5, "nonce": "x"},
            {"op": "nothing", "id": 6},
        ):
            said = await talk.ask(**request)
            check(said, answer)
            assert said["id"] == (None if request["op"] == "nothing" else request["id"])


async def test_watch_comes_again_and_again_until_it_is_stopped() -> None:
    async with console() as client, talking(client) as talk:
        await talk.say(op="watch", id=7, every=0.1, view={"sections": ["loop"]})
        for _ in range(3):
            seen = await talk.hear()
            assert (seen["type"], seen["id"], seen["snapshot"]["node"]["watchers"]) == ("snapshot", 7, 1)
            assert "tasks" not in seen["snapshot"]
        await talk.say(op="stop", id=7)
        await talk.say(op="look", id=8, view={"sections": ["ended"]})
        while (seen := await talk.hear())["id"] != 8:
            assert seen["id"] == 7
        with trio.move_on_after(0.4):
            pytest.fail(f"it went on: {await talk.socket.get_message()}")


async def test_nothing_is_installed_when_nobody_watches() -> None:
    async with console() as client:
        assert Mailbox.on_spent is None
        async with talking(client) as talk:
            seen = await talk.ask(op="look", id=1)
            assert seen["snapshot"]["node"]["watchers"] == 1
            assert Mailbox.on_spent is not None
            rows = [row for row in seen["snapshot"]["tasks"]["rows"] if row["kind"] == "task"]
            assert all(row["since"] is None for row in rows)
        await until(lambda: not client.server.observer.watchers)
        assert Mailbox.on_spent is None
        rows = [row for row in (await client.snapshot())["tasks"]["rows"] if row["kind"] == "task"]
        assert all(row["since"] is None for row in rows)


@pytest.mark.parametrize("view", [{"sections": ["tasks"]}, {"sections": ["tasks", "loop"], "steps": True}, {}])
async def test_steps_are_timed_while_somebody_watches_tasks(view: dict[str, Any]) -> None:
    async with console() as client, talking(client) as talk:
        seen = await talk.ask(op="watch", id=1, every=0.1, view=view)
        rows = [row for row in seen["snapshot"]["tasks"]["rows"] if row["kind"] == "task"]
        assert all(row["since"] is not None for row in rows if row["state"] == "blocked")
        assert client.server.observer.longest
        await talk.say(op="stop", id=1)
        await until(lambda: not client.server.observer.longest)


async def test_steps_are_not_timed_for_other_views() -> None:
    async with console() as client, talking(client) as talk:
        await talk.ask(op="watch", id=1, every=0.1, view={"sections": ["loop", "warnings", "actors"]})
        assert not client.server.observer.longest
        seen = await talk.ask(op="watch", id=1, every=0.1, view={"sections": ["loop"], "steps": True})
        while not seen["snapshot"]["loop"]["longest"]:
            seen = await talk.hear()


async def test_actor_is_restarted_or_passivated_by_its_id_or_name(capsys: pytest.CaptureFixture[str]) -> None:
    node = PlantedNode()
    one, two = uuid4(), uuid4()
    async with console(node) as client, talking(client) as talk:
        for action, target in (("restart", str(one)), ("passivate", f"conversations/{two}")):
            asked = await talk.ask(op="act", id=1, action=action, target=target)
            assert (asked["type"], node.restarted, node.passivated) == (
                "confirm",
                [one] if action == "passivate" else [],
                [],
            )
            assert (await talk.ask(op="confirm", id=2, nonce=asked["nonce"]))["type"] == "done"
        assert (node.restarted, node.passivated) == ([one], [two])
        refused = await talk.ask(op="act", id=3, action="restart", target="users")
        assert (refused["type"], refused["errorCode"]) == ("refused", "VALIDATION_ERROR")
    noted = [line for line in capsys.readouterr().out.splitlines() if "console: action " in line]
    assert all("who='127.0.0.1:" in line and "with token" in line for line in noted)


async def test_who_comes_by_a_unix_socket_is_noted_by_his_process(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(tmp_path / "console.sock")
    async with console(options=ManagementOptions(host=path)) as client, await trio.open_unix_socket(path) as stream:
        lines = [f"GET {PREFIX}/snapshot?reveal=true HTTP/1.1", "Host: localhost"]
        lines += [f"Authorization: Bearer {client.server.token}", "", ""]
        await stream.send_all("\r\n".join(lines).encode())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
    assert f"user {os.getuid()} process {os.getpid()} with token" in capsys.readouterr().out


async def test_tasks_that_failed_or_were_cancelled_are_remembered_with_why() -> None:
    async def fails() -> None:
        raise OSError("out of luck")

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever, name="was cancelled")
            nursery.start_soon(fails, name="did fail")

    async with console() as client, talking(client) as talk:
        await talk.ask(op="look", id=1)
        with pytest.raises(ExceptionGroup):
            await both()
        ended = {each["name"]: each for each in (await client.snapshot("sections=ended"))["ended"]}
        assert ended["was cancelled"]["why"] == "cancelled"
        assert ended["did fail"]["why"] == "failed"
        assert ended["did fail"]["failure"]["message"] == "out of luck"
        assert ended["did fail"]["failure"]["where"]["file"] == __file__


async def test_browser_gives_the_token_as_a_subprotocol() -> None:
    async with console() as client:
        url = f"ws://127.0.0.1:{client.server.port}{PREFIX}/ws"
        offered = [SUBPROTOCOL, f"{TOKEN_SUBPROTOCOL}{client.server.token}"]
        async with open_websocket_url(url, subprotocols=offered) as socket:
            assert socket.subprotocol == SUBPROTOCOL
        handshake = {
            "Host": "localhost",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        for wrong in (SUBPROTOCOL, f"{SUBPROTOCOL}, {TOKEN_SUBPROTOCOL}x"):
            status, body = await client.get(f"{PREFIX}/ws", {**handshake, "Sec-WebSocket-Protocol": wrong})
            assert (status, body["errorCode"]) == (401, "UNAUTHORIZED")


async def test_action_is_done_only_when_confirmed_and_only_once(capsys: pytest.CaptureFixture[str]) -> None:
    node = PlantedNode()
    async with console(node) as client, talking(client) as talk:
        asked = await talk.ask(op="act", id=1, action="drain")
        assert asked["type"] == "confirm"
        assert "drain this node" in asked["says"]
        assert node.drained == 0
        assert (await talk.ask(op="confirm", id=2, nonce=asked["nonce"]))["type"] == "done"
        assert node.drained == 1
        assert "console: action" in capsys.readouterr().out
        again = await talk.ask(op="confirm", id=3, nonce=asked["nonce"])
        assert (again["type"], again["errorCode"]) == ("refused", "VALIDATION_ERROR")
        assert node.drained == 1


async def test_confirmation_is_of_one_connection() -> None:
    node = PlantedNode()
    async with console(node) as client, talking(client) as one, talking(client) as two:
        asked = await one.ask(op="act", id=1, action="drain")
        assert (await two.ask(op="confirm", id=1, nonce=asked["nonce"]))["type"] == "refused"
        assert node.drained == 0


async def test_read_only_console_does_nothing() -> None:
    async with console(options=ManagementOptions(read_only=True)) as client, talking(client) as talk:
        for action in ("drain", "disconnect", "restart", "passivate", "log-level", "snapshot"):
            answer = await talk.ask(op="act", id=1, action=action, value="info")
            assert (answer["type"], answer["errorCode"]) == ("refused", "FORBIDDEN")


async def test_level_of_a_log_is_changed() -> None:
    logger = logging.getLogger("chathttp.management")
    before = logger.level
    async with console() as client, talking(client) as talk:
        asked = await talk.ask(op="act", id=1, action="log-level", target=logger.name, value="debug")
        await talk.ask(op="confirm", id=2, nonce=asked["nonce"])
        assert logger.level == logging.DEBUG
        for wrong in ({"value": "loud"}, {"value": "info", "target": "no.such.logger"}):
            assert (await talk.ask(op="act", id=3, action="log-level", **wrong))["type"] == "refused"
    logger.setLevel(before)


async def test_everything_is_written_to_a_file(tmp_path: Path) -> None:
    async with console(options=ManagementOptions(data_dir=tmp_path)) as client, talking(client) as talk:
        asked = await talk.ask(op="act", id=1, action="snapshot")
        await talk.ask(op="confirm", id=2, nonce=asked["nonce"])
        [file] = [each for each in (tmp_path / "console").iterdir() if each.name.startswith("snapshot-")]
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_bytes())["version"] == 1
        assert [each.port for each in beacons(tmp_path)] == [client.server.port]
