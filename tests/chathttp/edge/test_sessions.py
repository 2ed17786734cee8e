"""Draining: every socket gets 1012, evenly over the time."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from actors.conversation.subscription import Outlet
from chathttp.edge.sessions import Sessions
from chathttp.edge.transport import Peer


class FakeTransport:
    """Remembers when and how it was closed."""

    name = "fake"

    def __init__(self) -> None:
        self.peer = Peer("192.0.2.1", 1)
        self.on_drained = None
        self.last_received = 0.0
        self.queued_bytes = 0
        self.closes: list[tuple[int, float]] = []
        self.ended = trio.Event()

    @property
    def closed(self) -> bool:
        return bool(self.closes)

    @property
    def outlet(self) -> Outlet:
        raise NotImplementedError

    def frame(self, payload: bytes) -> bytes:
        return payload

    def offer(self, frames: bytes) -> bool:
        return True

    async def send(self, frames: bytes) -> None:
        raise NotImplementedError

    async def receive(self) -> bytes | str:
        raise NotImplementedError

    def ping(self) -> None:
        raise NotImplementedError

    def close(self, code: int, reason: str = "") -> None:
        self.closes.append((code, trio.current_time()))
        self.ended.set()


@pytest.mark.contract("close 1012")
async def test_closes_are_spread_over_the_time(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    sessions = Sessions()
    transports = [FakeTransport() for _ in range(400)]
    for transport in transports:
        nursery.start_soon(sessions.run, transport, transport.ended.wait())
    await trio.testing.wait_all_tasks_blocked()
    assert len(sessions) == 400
    began = trio.current_time()
    await sessions.drain(16)
    await trio.testing.wait_all_tasks_blocked()
    assert len(sessions) == 0
    times = [transport.closes[0][1] - began for transport in transports]
    assert {transport.closes[0][0] for transport in transports} == {1012}
    assert max(times) <= 16
    for second in range(16):
        assert 15 <= sum(second <= time < second + 1 for time in times) <= 35
    assert times != sorted(times)


async def test_a_session_that_begins_while_draining_is_closed_at_once() -> None:
    sessions = Sessions()
    await sessions.drain(1)
    transport = FakeTransport()
    await sessions.run(transport, transport.ended.wait())
    assert transport.closes[0][0] == 1012


async def test_a_crash_is_contained_and_a_cancellation_is_not() -> None:
    async def crash() -> None:
        raise KeyError

    sessions = Sessions()
    transport = FakeTransport()
    await sessions.run(transport, crash())
    assert transport.closes[0][0] == 1011
    with trio.move_on_after(0) as scope:
        await sessions.run(FakeTransport(), trio.Event().wait())
    assert scope.cancelled_caught
    assert len(sessions) == 0


@pytest.mark.parametrize("seconds", [0, 5])
async def test_draining_nobody_takes_no_time(autojump_clock: MockClock, seconds: float) -> None:
    began = trio.current_time()
    await Sessions().drain(seconds)
    assert trio.current_time() == began
