"""Questions from the management thread's loop to the node's, which may be blocked at any moment."""

import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue

import pytest
import trio
import trio.testing
from attrs import define

from chathttp.management.crossing import Crossing, LoopBlockedError

PATIENCE = 0.2


@define
class Node:
    """A loop in another thread, as seen from the test's, which is the management thread's."""

    crossing: Crossing
    token: trio.lowlevel.TrioToken

    def block(self, until: threading.Event) -> None:
        self.token.run_sync_soon(until.wait, 60)


@asynccontextmanager
async def other_loop() -> AsyncGenerator[Node]:
    made: SimpleQueue[tuple[Node, trio.CancelScope]] = SimpleQueue()

    async def live() -> None:
        crossing = Crossing(patience=PATIENCE)
        with trio.CancelScope() as scope:
            made.put((Node(crossing, trio.lowlevel.current_trio_token()), scope))
            await crossing.run()

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    node, scope = made.get()
    try:
        yield node
    finally:
        node.token.run_sync_soon(scope.cancel)
        thread.join()


def noting(done: list[str]) -> Callable[[], Awaitable[str]]:
    async def work() -> str:
        done.append("begun")
        await trio.lowlevel.checkpoint()
        done.append("ended")
        return "answer"

    return work


async def test_what_was_given_up_before_it_began_is_not_done_afterwards() -> None:
    done: list[str] = []
    async with other_loop() as node:
        free = threading.Event()
        node.block(free)
        with pytest.raises(LoopBlockedError):
            await node.crossing.call(noting(done), timeout=60)
        free.set()
        assert await node.crossing.call(noting([]), timeout=60) == "answer"
    assert done == []


async def test_look_is_left_when_the_loop_blocks_in_the_midst_of_it_and_an_action_is_not() -> None:
    async with other_loop() as node:
        free = threading.Event()

        async def begin_and_be_blocked() -> str:
            await trio.lowlevel.checkpoint()
            free.wait(60)
            await trio.lowlevel.checkpoint()
            return "late"

        began = time.monotonic()
        with pytest.raises(LoopBlockedError):
            await node.crossing.look(begin_and_be_blocked, timeout=60)
        assert time.monotonic() - began < 30
        free.set()
        free = threading.Event()
        answers: list[str] = []

        async def act() -> None:
            answers.append(await node.crossing.call(begin_and_be_blocked, timeout=60))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(act)
            await trio.sleep(4 * PATIENCE)
            assert not answers
            free.set()
        assert answers == ["late"]


async def test_look_that_takes_long_in_a_loop_that_turns_is_waited_for() -> None:
    async def work() -> str:
        await trio.sleep(4 * PATIENCE)
        return "answer"

    async with other_loop() as node:
        assert await node.crossing.look(work, timeout=60) == "answer"


async def test_what_is_held_when_the_node_ends_is_no_error() -> None:
    began = threading.Event()

    async def work() -> None:
        began.set()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with other_loop() as node:
            nursery.start_soon(node.crossing.hold, work)
            assert await trio.to_thread.run_sync(began.wait, 60)
        nursery.start_soon(node.crossing.hold, work)
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert len(nursery.child_tasks) == 2
        nursery.cancel_scope.cancel()


async def test_what_is_held_begins_when_the_loop_is_free_and_ends_when_it_is_cancelled() -> None:
    began, ended = threading.Event(), threading.Event()

    async def work() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with other_loop() as node, trio.open_nursery() as nursery:
        free = threading.Event()
        node.block(free)
        nursery.start_soon(node.crossing.hold, work)
        await trio.sleep(2 * PATIENCE)
        assert not began.is_set()
        free.set()
        assert await trio.to_thread.run_sync(began.wait, 60)
        nursery.cancel_scope.cancel()
    assert ended.is_set()
