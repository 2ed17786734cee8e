"""Actors that a test makes slow, deaf or mortal: the console names them and the line."""

import time
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import trio

from actors.conversation.room import Room
from actors.runtime.cell import ActorContext
from actors.runtime.dynamic import DynamicSupervisor
from actors.runtime.mailbox import Mailbox
from actors.runtime.spec import RestartIntensity, Strategy
from actors.runtime.supervisor import Supervisor
from chatconsole.api.loop import Stall
from chatcore.gate import Gate
from chatcore.marks import Marks
from chathttp.management.findings import of_loop
from tests.kit.console import PlantedNode, actor, console, until_found

HERE = Path(__file__)
SOURCE = HERE.read_text("utf-8").splitlines()


def is_at(place: Any, mark: str) -> bool:
    """The line of this file that ends with the comment `# mark`."""
    line = next(number for number, line in enumerate(SOURCE, 1) if line.endswith(f"# {mark}"))
    return place["file"] == str(HERE) and place["line"] == line


async def test_mailbox_that_ages_is_named() -> None:
    mailbox = Mailbox[str]("lazy", 10)
    mailbox.offer("old")
    node = PlantedNode()

    def told() -> list[Any]:
        return [
            actor("lazy", mailbox_depth=mailbox.depth, mailbox_capacity=10, oldest_age=mailbox.oldest_age),
            actor("quick", mailbox_depth=3, mailbox_capacity=10, oldest_age=0.1),
        ]

    async with console(node) as client:
        node.singles = told()
        assert not await client.warnings("ageing-mailbox")
        await trio.sleep(1.1)
        node.singles = told()
        [warning] = await client.warnings("ageing-mailbox")
        assert warning["subject"] == "lazy"
        assert "1 of 10 wait" in warning["says"]


async def test_actor_that_is_at_one_message_for_too_long_is_named_with_the_line() -> None:
    async def slow(context: ActorContext[str]) -> None:
        await context.mailbox.receive()
        await trio.sleep_forever()  # where it is stuck

    supervisor = DynamicSupervisor[str, str](
        "conversations",
        lambda _: slow,
        capacity=10,
        max_children=10,
        intensity=RestartIntensity(2, 60.0, 0.01, 0.01),
        rng=Random(1),
        refuse=lambda _message, _error: None,
    )
    node = PlantedNode(dynamic=supervisor.snapshot_in_steps)
    async with console(node) as client, trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        for _ in range(3):
            supervisor.ref("a").tell("work")
        [warning] = await until_found(lambda: client.warnings("ageing-mailbox"))
        assert warning["subject"] == "conversations/a"
        assert "at what it took for" in warning["says"]
        assert is_at(warning["where"], "where it is stuck")
        nursery.cancel_scope.cancel()


async def test_conversation_that_is_behind_the_database_is_named_with_what_its_actor_is_at() -> None:
    async def deaf() -> None:
        await trio.sleep_forever()  # where it does not listen

    room = SimpleNamespace(
        id=uuid4(),
        last_seq=7,
        gate=Gate(10),
        audience=(),
        marks=Marks(()),
        is_large=True,
        typists=SimpleNamespace(now_typing=()),
    )
    node = PlantedNode(rooms=[cast("Room", room)], revs={room.id: 111})
    async with console(node) as client, trio.open_nursery() as nursery:
        nursery.start_soon(deaf, name=f"conversations/{room.id}")
        [warning] = await until_found(lambda: client.warnings("behind-database"))
        assert (warning["subject"], warning["says"]) == (
            f"conversations/{room.id}",
            "101 revisions behind the database",
        )
        assert is_at(warning["where"], "where it does not listen")
        node.revs[room.id] = 110
        assert not await client.warnings("behind-database")
        nursery.cancel_scope.cancel()


def test_process_that_was_not_let_run_is_no_tasks_fault() -> None:
    [warning] = of_loop(None, [Stall(time.time(), 0.5, True, "starved", None, None, [])])
    assert (warning.code, warning.subject) == ("slow-starved", "the loop")
    assert "was not let run for 0.5 s" in warning.says


def test_stall_is_remembered_from_its_end_however_long_it_was() -> None:
    ended = Stall(time.time() - 600, 599.0, True, "step", "guilty", None, [])
    [warning] = of_loop(None, [ended])
    assert (warning.code, warning.subject, warning.says) == (
        "no-checkpoint",
        "guilty",
        "no checkpoint for 599 s, 1 s ago",
    )
    assert not list(of_loop(None, [Stall(time.time() - 600, 530.0, True, "step", "guilty", None, [])]))


async def test_actor_that_crashes_again_and_again_is_named_with_the_line() -> None:
    def behaviour(key: str) -> Any:
        async def run(context: ActorContext[str]) -> None:
            await context.mailbox.receive()
            raise ValueError(f"{key} is poisoned")  # the defect

        return run

    supervisor = DynamicSupervisor[str, str](
        "conversations",
        behaviour,
        capacity=10,
        max_children=10,
        intensity=RestartIntensity(2, 60.0, 0.01, 0.01),
        rng=Random(1),
        refuse=lambda _message, _error: None,
    )
    root = Supervisor("node", [supervisor.spec()], Strategy.ONE_FOR_ONE, RestartIntensity(5, 30.0), Random(1))
    node = PlantedNode(supervision=root.snapshot, dynamic=supervisor.snapshot_in_steps)
    async with console(node) as client, trio.open_nursery() as nursery:
        await nursery.start(root.run)
        for _ in range(3):
            supervisor.ref("a").tell("poison")
        [warning] = await until_found(lambda: client.warnings("crash-loop"))
        assert warning["subject"] == "conversations/a"
        assert "ValueError: a is poisoned" in warning["says"]
        assert is_at(warning["where"], "the defect")
        [row] = [
            row for row in (await client.snapshot("sections=supervision"))["supervision"] if row["role"] == "actor"
        ]
        assert row["lastError"]["type"] == "ValueError"
        root.stop()
