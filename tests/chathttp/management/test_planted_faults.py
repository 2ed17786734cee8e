"""Faults that a test plants in the loop: the console names the task, the file and the line."""

import json
import socket
import sys
import time
from pathlib import Path
from random import Random
from typing import Any, NoReturn, cast
from uuid import UUID, uuid4

import pytest
import trio
import trio.testing
from attrs import define

from actors.runtime.spec import ChildContext, ChildSpec, RestartIntensity, Strategy
from actors.runtime.supervisor import Supervisor
from chathttp.edge.outbox import Outbox
from chathttp.edge.transport import FrameTransport, Peer
from chathttp.management.findings import GROWN
from chathttp.management.trio_inside import own_scopes
from chathttp.session.inspection import SessionFigures
from tests.kit.console import PlantedNode, console, until_found

HERE = Path(__file__)
SOURCE = HERE.read_text("utf-8").splitlines()


def line_of(mark: str) -> int:
    """The line of this file that ends with the comment `# mark`."""
    return next(number for number, line in enumerate(SOURCE, 1) if line.endswith(f"# {mark}"))


def is_at(place: Any, mark: str) -> bool:
    return place["file"] == str(HERE) and place["line"] == line_of(mark)


def hold_the_loop(until: float) -> None:
    while time.perf_counter() < until:
        pass  # held here


async def test_loop_that_is_blocked_is_told_of_while_it_is() -> None:
    answers: list[Any] = []
    async with console() as client:
        # The loop under test cannot ask while it is held: another process does.
        script = (
            "import http.client, sys\n"
            f"c = http.client.HTTPConnection('127.0.0.1', {client.server.port}, timeout=30)\n"
            "c.request('GET', '/console/v1/snapshot', headers="
            f"{{'Authorization': 'Bearer {client.server.token}', 'Host': 'localhost'}})\n"
            "sys.stdout.write(c.getresponse().read().decode())\n"
        )

        async def guilty() -> None:
            await trio.sleep(0.3)
            hold_the_loop(time.perf_counter() + 4.0)  # the guilty step

        async def curious() -> None:
            # Its own start-up takes longer than the pause before the loop is held.
            delayed = f"import time; time.sleep(1.0)\n{script}"
            done = await trio.run_process([sys.executable, "-c", delayed], capture_stdout=True)
            answers.append(json.loads(done.stdout))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(curious)
            nursery.start_soon(guilty, name="the guilty task")
        [answer] = answers
        blocked = answer["loop"]["blocked"]
        assert blocked["task"] == "the guilty task"
        assert not blocked["ended"]
        assert is_at(blocked["where"], "held here") or blocked["where"]["function"] == "hold_the_loop"
        assert any(is_at(call, "the guilty step") for call in blocked["stack"])
        [warning] = [each for each in answer["warnings"] if each["code"] == "loop-blocked"]
        assert warning["subject"] == "the guilty task"
        [row] = [row for row in answer["tasks"]["rows"] if row.get("name") == "the guilty task"]
        assert row["state"] == "running"
        # Over, it is remembered.
        stalls = (await client.snapshot("sections=loop"))["loop"]["stalls"]
        longest = max(stalls, key=lambda stall: stall["lasted"])
        assert (longest["task"], longest["cause"]) == ("the guilty task", "step")
        assert longest["lasted"] > 3.5


async def test_task_that_passes_no_checkpoint_is_named_afterwards() -> None:
    async with console() as client:

        async def guilty() -> None:
            hold_the_loop(time.perf_counter() + 0.3)  # a third of a second

        async def planted() -> list[Any]:
            # A machine that is busy may hold the loop besides, and then it was no one step: it is planted again.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(guilty, name="no checkpoint")
            return [each for each in await client.warnings("no-checkpoint") if each["subject"] == "no checkpoint"]

        warning = (await until_found(planted))[0]
        assert warning["where"]["file"] == str(HERE)
        assert warning["where"]["function"] == "hold_the_loop"
        assert 0.2 < warning["since"] < 2.0


async def test_step_that_holds_the_loop_is_named_also_after_others_of_its_turn() -> None:
    async with console() as client:

        async def innocent() -> None:
            hold_the_loop(time.perf_counter() + 0.07)

        async def guilty() -> None:
            hold_the_loop(time.perf_counter() + 1.0)

        async def planted() -> list[Any]:
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(innocent)
                nursery.start_soon(guilty, name="guilty in a turn")
            return [each for each in await client.warnings("no-checkpoint") if each["subject"] == "guilty in a turn"]

        for warning in await until_found(planted, within=60):
            assert warning["where"]["function"] == "hold_the_loop"
            assert warning["since"] >= 1.0
        assert not [each for each in await client.warnings("no-checkpoint") if "innocent" in each["subject"]]


async def test_many_short_steps_in_a_row_are_no_one_tasks_fault() -> None:
    async with console() as client:

        async def short() -> None:
            hold_the_loop(time.perf_counter() + 0.02)

        async with trio.open_nursery() as nursery:
            for _ in range(25):
                nursery.start_soon(short)
        await trio.sleep(0.1)
        assert await client.warnings("slow-turn")
        assert not [each for each in await client.warnings("no-checkpoint") if "short" in each["subject"]]


async def test_shield_without_deadline_is_found_where_it_was_opened() -> None:
    async def guilty() -> None:
        with trio.CancelScope(shield=True):  # the shield
            await trio.sleep_forever()

    async def innocent() -> None:
        with trio.move_on_after(1000, shield=True):
            await trio.sleep_forever()

    async with console() as client, trio.open_nursery() as nursery:
        nursery.start_soon(guilty, name="shielded")
        nursery.start_soon(innocent, name="bounded")
        try:
            warnings = await client.warnings("endless-shield")
            assert [each["subject"] for each in warnings] == ["shielded"]
            assert is_at(warnings[0]["where"], "the shield")
            assert "holds up" not in warnings[0]["says"]
        finally:
            # The test itself must end.
            for task in nursery.child_tasks:
                lift_shields(task)
        nursery.cancel_scope.cancel()


def lift_shields(task: trio.lowlevel.Task) -> None:
    for scope in own_scopes(task):
        scope.shield = False


async def test_nursery_that_grows_without_end_is_found_with_what_it_is_given() -> None:
    async def forgotten() -> None:  # what piles up
        await trio.sleep_forever()

    async def guilty() -> None:
        async with trio.open_nursery() as piling:  # the nursery
            while True:
                for _ in range(GROWN // 8):
                    piling.start_soon(forgotten)
                await trio.sleep(0.1)

    async with console() as client, trio.open_nursery() as nursery:
        nursery.start_soon(guilty, name="hoarder")
        [warning] = await until_found(
            lambda: client.warnings("growing-nursery", "sections=warnings&observe=3.2"), within=20
        )
        assert warning["subject"] == "hoarder"
        assert is_at(warning["where"], "the nursery")
        assert f"{HERE}:{line_of('what piles up')}" in warning["says"]
        nursery.cancel_scope.cancel()


async def test_nursery_whose_tasks_come_and_go_does_not_grow() -> None:
    async def busy() -> None:
        async with trio.open_nursery() as passing:
            while True:
                for _ in range(GROWN // 4):
                    passing.start_soon(trio.sleep, 0.01)
                await trio.sleep(0.05)

    async with console() as client, trio.open_nursery() as nursery:
        nursery.start_soon(busy)
        assert not await client.warnings("growing-nursery", "sections=warnings&observe=3.2")
        nursery.cancel_scope.cancel()


async def test_supervisor_near_escalation_is_named_with_the_child_that_fails() -> None:
    async def healthy(context: ChildContext) -> None:
        context.started()
        await trio.sleep_forever()

    async def failing(context: ChildContext) -> NoReturn:
        context.started()
        raise ExceptionGroup("both", [KeyError("first"), OSError("second")])  # the failure

    root = Supervisor(
        "node",
        [ChildSpec("healthy", healthy), ChildSpec("failing", failing)],
        Strategy.ONE_FOR_ONE,
        RestartIntensity(3, 60.0, backoff_initial=0.01, backoff_max=1000.0, jitter=0.0),
        Random(1),
    )
    node = PlantedNode(supervision=root.snapshot)
    async with console(node) as client, trio.open_nursery() as nursery:
        nursery.start_soon(run_until_it_escalates, root)
        [warning] = await until_found(lambda: client.warnings("near-escalation"))
        assert warning["subject"] == "node"
        assert "failing fails with ExceptionGroup" in warning["says"]
        assert is_at(warning["where"], "the failure")
        rows = (await client.snapshot("sections=supervision"))["supervision"]
        assert [(row["depth"], row["name"]) for row in rows] == [(0, "node"), (1, "healthy"), (1, "failing")]
        assert [inner["type"] for inner in rows[2]["lastError"]["inner"]] == ["KeyError", "OSError"]
        nursery.cancel_scope.cancel()


async def run_until_it_escalates(root: Supervisor) -> None:
    with pytest.raises(ExceptionGroup):
        await root.run()


@define(eq=False)
class _SlowSession:
    """Implements `Inspectable`."""

    transport: FrameTransport
    user_id: UUID

    def inspect(self) -> SessionFigures:
        return SessionFigures(self.transport, self.user_id, 3, 1, "heart-beats", 20.0)


@define
class _FullOutbox:
    """What a look needs of a transport whose client does not read."""

    name = "websocket"

    peer: Peer
    outlet: Any
    last_received: float
    closed: bool = False


async def test_consumer_that_is_always_late_is_named_without_who_it_is() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    outbox = Outbox(near, limit=1_000_000, start_writer=lambda _: None)
    while outbox.offer(b"x" * 4096):
        pass
    transport = cast("FrameTransport", _FullOutbox(Peer("192.0.2.7", 4711), outbox, trio.current_time()))
    node = PlantedNode()
    session = _SlowSession(transport, uuid4())
    node.running = [session]

    async def stuck() -> None:
        await trio.sleep_forever()  # where it waits for its client

    async with console(node) as client, trio.open_nursery() as nursery:
        nursery.start_soon(stuck, name="writer 192.0.2.7:4711")
        await trio.testing.wait_all_tasks_blocked()
        [warning] = await client.warnings("slow-consumer")
        assert warning["subject"].startswith("192.0.2.7:4711 user-")
        assert is_at(warning["where"], "where it waits for its client")
        [row] = (await client.snapshot("sections=sockets"))["sockets"]["listed"]
        assert (row["id"], row["queued"]) == ("192.0.2.7:4711", outbox.queued_bytes)
        assert row["queued"] > 0
        assert row["user"] == warning["subject"].split()[1]
        for grep in ("192.0.2.7:47", row["user"][:8]):
            assert (await client.snapshot(f"sections=sockets&grep={grep}"))["sockets"]["total"] == 1
        assert (await client.snapshot("sections=sockets&grep=192.0.2.8"))["sockets"]["total"] == 0
        nursery.cancel_scope.cancel()
    outbox.retire()
    near.close()
    far.close()


async def test_sound_loop_has_no_warnings() -> None:
    async def calm() -> None:
        for _ in range(1000):
            await trio.sleep(0.05)

    async with console() as client, trio.open_nursery() as nursery:
        nursery.start_soon(calm)
        assert (await client.snapshot("sections=warnings&observe=0.5"))["warnings"] == []
        nursery.cancel_scope.cancel()
