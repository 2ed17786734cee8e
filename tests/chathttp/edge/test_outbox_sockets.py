"""The outbox on real sockets: its writer task, its waiting senders, and peers that stall or go."""

import socket
from collections.abc import Callable, Iterator

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chathttp.edge.outbox import Outbox


class Pair:
    """Two ends of one TCP connection whose buffers are small, and an outbox on the one."""

    def __init__(self, nursery: trio.Nursery, *, limit: int = 1 << 20, write_timeout: float = 30) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.socket()
            self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.far.connect(listener.getsockname())
            self.near, _ = listener.accept()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.near.setblocking(False)
        self.far.setblocking(False)
        self.writers = 0
        self.overflows = 0

        async def write() -> None:
            self.writers += 1
            await self.outbox.run_writer()
            self.writers -= 1

        def overflow() -> None:
            self.overflows += 1

        self.outbox = Outbox(
            self.near,
            limit=limit,
            start_writer=lambda _: nursery.start_soon(write),
            write_timeout=write_timeout,
        )
        self.outbox.on_overflow = overflow

    def fill(self, size: int = 50_000) -> int:
        """Offer until something is queued; the bytes offered."""
        offered = 0
        while not self.outbox.queued_bytes:
            self.outbox.offer(b"f" * size)
            offered += size
        return offered

    async def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            await trio.lowlevel.wait_readable(self.far)
            chunk = self.far.recv(size - len(data))
            assert chunk
            data += chunk
        return bytes(data)


@pytest.fixture
def pairs(nursery: trio.Nursery) -> Iterator[Callable[..., Pair]]:
    made: list[Pair] = []

    def make(**how: int) -> Pair:
        made.append(Pair(nursery, **how))
        return made[-1]

    yield make
    for pair in made:
        pair.outbox.abort()
        pair.far.close()
        pair.near.close()


async def test_a_writer_task_exists_only_while_something_is_queued(pairs: Callable[..., Pair]) -> None:
    pair = pairs()
    assert pair.outbox.offer(b"hello")
    await trio.testing.wait_all_tasks_blocked()
    assert pair.writers == 0
    offered = pair.fill() + 5
    await trio.testing.wait_all_tasks_blocked()
    assert pair.writers == 1
    await pair.read(offered)
    await pair.outbox.wait_drained()
    await trio.testing.wait_all_tasks_blocked()
    assert pair.writers == 0
    assert pair.fill()
    await trio.testing.wait_all_tasks_blocked()
    assert pair.writers == 1


async def test_send_waits_its_turn_and_is_not_held_against_the_limit(
    pairs: Callable[..., Pair], nursery: trio.Nursery
) -> None:
    pair = pairs(limit=100_000)
    offered = pair.fill()
    page = b"p" * 3_000_000
    done: list[str] = []

    async def send() -> None:
        await pair.outbox.send(page)
        done.append("sent")

    nursery.start_soon(send)
    await trio.testing.wait_all_tasks_blocked()
    pair.outbox.offer(b"after")
    assert not done
    assert pair.overflows == 0
    data = await pair.read(offered + len(page) + 5)
    assert data == b"f" * offered + page + b"after"
    await trio.testing.wait_all_tasks_blocked()
    assert done == ["sent"]


async def test_a_send_cancelled_before_its_turn_writes_nothing(pairs: Callable[..., Pair]) -> None:
    pair = pairs()
    offered = pair.fill()
    async with trio.open_nursery() as inner:
        inner.start_soon(pair.outbox.send, b"never")
        await trio.testing.wait_all_tasks_blocked()
        inner.cancel_scope.cancel()
    pair.outbox.offer(b"end")
    assert await pair.read(offered + 3) == b"f" * offered + b"end"


async def test_a_send_cancelled_in_its_midst_is_written_to_its_end(pairs: Callable[..., Pair]) -> None:
    pair = pairs()
    page = b"p" * 3_000_000
    async with trio.open_nursery() as inner:
        inner.start_soon(pair.outbox.send, page)
        await trio.testing.wait_all_tasks_blocked()
        inner.cancel_scope.cancel()
    pair.outbox.offer(b"end")
    assert await pair.read(len(page) + 3) == page + b"end"


async def test_a_peer_that_takes_nothing_is_dropped_after_the_write_timeout(
    pairs: Callable[..., Pair], autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    pair = pairs(write_timeout=30)
    began = trio.current_time()
    with pytest.raises(trio.BrokenResourceError):
        await pair.outbox.send(b"s" * 3_000_000)
    assert trio.current_time() - began == pytest.approx(30)
    assert pair.outbox.dead
    with pytest.raises(trio.BrokenResourceError):
        await pair.outbox.send(b"more")


async def test_a_peer_that_takes_a_little_at_a_time_is_not_dropped(
    pairs: Callable[..., Pair], mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    pair = pairs(write_timeout=30)
    page = b"s" * 2_000_000
    nursery.start_soon(pair.outbox.send, page)
    got = 0
    while got < len(page):
        got += len(await pair.read(min(200_000, len(page) - got)))
        await trio.testing.wait_all_tasks_blocked(0.01)
        mock_clock.jump(20)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert not pair.outbox.dead
    assert mock_clock.current_time() > 100


async def test_who_waits_in_send_is_told_when_the_peer_goes(pairs: Callable[..., Pair], nursery: trio.Nursery) -> None:
    pair = pairs()

    async def hang_up() -> None:
        await trio.testing.wait_all_tasks_blocked()
        pair.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        pair.far.close()

    nursery.start_soon(hang_up)
    with pytest.raises(trio.BrokenResourceError):
        await pair.outbox.send(b"s" * 3_000_000)
    assert pair.outbox.dead


async def test_nothing_can_be_sent_after_the_close_frame(pairs: Callable[..., Pair]) -> None:
    pair = pairs()
    pair.outbox.close_after(b"bye")
    with pytest.raises(trio.ClosedResourceError):
        await pair.outbox.send(b"late")
    assert await pair.read(3) == b"bye"
    await pair.outbox.wait_drained()
