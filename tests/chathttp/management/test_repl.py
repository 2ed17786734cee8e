"""Python in the node's loop: off unless asked for, bounded, and noted line by line."""

from typing import Any

import pytest
import trio

from chathttp.management.repl import ReplLimits
from chathttp.management.server import ManagementOptions
from chathttp.settings import Settings
from tests.kit.console import PlantedNode, console
from tests.kit.talk_console import talking

ALLOWED = ManagementOptions(repl=ReplLimits(0.5, 100))


async def ran(source: str, *before: str) -> Any:
    async with console(PlantedNode(), ALLOWED) as client, talking(client) as talk:
        for each in before:
            assert (await talk.ask(op="run", id=1, source=each))["failure"] is None
        return await talk.ask(op="run", id=2, source=source)


async def test_value_and_output_come_back_and_names_last() -> None:
    answer = await ran("print('x is', x)\nx + 1", "x = 41")
    assert (answer["type"], answer["output"], answer["cut"], answer["failure"]) == ("ran", "x is 41\n42\n", False, None)


async def test_it_runs_in_the_nodes_loop_and_may_await() -> None:
    source = "import threading\nawait trio.sleep(0.01)\nthreading.current_thread().name, node.url"
    assert (await ran(source))["output"] == "('MainThread', 'http://127.0.0.1:8080')\n"


@pytest.mark.parametrize("endless", ["while True: pass", "await trio.sleep_forever()"])
async def test_what_takes_too_long_is_interrupted_and_the_node_goes_on(endless: str) -> None:
    turns: list[int] = []

    async def innocent() -> None:
        while True:
            await trio.sleep(0.01)
            turns.append(1)

    async with trio.open_nursery() as nursery, console(PlantedNode(), ALLOWED) as client, talking(client) as talk:
        nursery.start_soon(innocent)
        answer = await talk.ask(op="run", id=1, source=endless)
        assert answer["failure"]["type"] == "TooSlow"
        before = len(turns)
        assert (await talk.ask(op="run", id=2, source="await trio.sleep(0.1)\n'fine'"))["output"] == "'fine'\n"
        assert len(turns) > before
        nursery.cancel_scope.cancel()


async def test_output_is_cut() -> None:
    answer = await ran("print('x' * 1000)")
    assert (answer["output"], answer["cut"]) == ("x" * 100, True)


@pytest.mark.parametrize(
    ("source", "kind"), [("1 / 0", "ZeroDivisionError"), ("(", "SyntaxError"), ("raise SystemExit", "SystemExit")]
)
async def test_what_fails_tells_how_and_where(source: str, kind: str) -> None:
    failure = (await ran(source))["failure"]
    assert failure["type"] == kind
    if kind == "ZeroDivisionError":
        assert failure["where"] == {"file": "<console>", "line": 1, "function": "<module>"}


async def test_every_line_is_noted_with_who(capsys: pytest.CaptureFixture[str]) -> None:
    async with console(PlantedNode(), ALLOWED) as client, talking(client) as talk:
        await talk.ask(op="run", id=1, source="a = 1\nb = 2")
    noted = [line for line in capsys.readouterr().out.splitlines() if "console: python " in line and "line=" in line]
    assert ["a = 1" in noted[0], "b = 2" in noted[1]] == [True, True]
    assert all("who='127.0.0.1:" in line and "with token" in line for line in noted)


async def test_it_is_off_unless_asked_for() -> None:
    async with console() as client, talking(client) as talk:
        answer = await talk.ask(op="run", id=1, source="1")
        assert (answer["type"], answer["errorCode"]) == ("refused", "FORBIDDEN")


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, False),
        ({"console_repl": True}, True),
        ({"console_repl": True, "console_read_only": True}, False),
        ({"console_repl": True, "profile": "production"}, False),
        ({"console_repl": True, "profile": "production", "console_repl_in_production": True}, True),
        ({"console_repl_in_production": True, "profile": "production"}, False),
    ],
)
def test_it_takes_a_setting_and_in_production_another(settings: dict[str, Any], allowed: bool) -> None:
    assert (ManagementOptions.of(Settings(**settings)).repl is not None) is allowed


def test_its_limits_are_settings() -> None:
    settings = Settings(console_repl=True, console_repl_timeout=2.0, console_repl_output=512)
    assert ManagementOptions.of(settings).repl == ReplLimits(2.0, 512)
