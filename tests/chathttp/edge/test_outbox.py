"""The outbox: order, wholeness and bounds, with a socket that takes what it likes and with real ones."""

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from chathttp.edge.outbox import Outbox


class FakeSocket:
    """Takes, call by call, as many bytes as `takes` says: -1 is EAGAIN, more than there is means all."""

    def __init__(self, takes: Sequence[int]) -> None:
        self._takes = iter(takes)
        self.written = bytearray()
        self.broken: int | None = None
        self.shut = False

    def send(self, data: bytes | memoryview) -> int:
        return self.sendmsg([memoryview(data)])

    def sendmsg(self, pieces: Sequence[memoryview]) -> int:
        if self.broken is not None:
            raise OSError(self.broken, "broken")
        data = b"".join(pieces)
        take = next(self._takes, len(data))
        if take < 0:
            raise BlockingIOError
        self.written += data[:take]
        return min(take, len(data))

    def shutdown(self, how: int) -> None:
        self.shut = True


def outbox_over(fake: FakeSocket, limit: int = 1 << 30, on_overflow: Callable[[], None] = lambda: None) -> Outbox:
    outbox = Outbox(cast("socket.socket", fake), limit=limit, start_writer=lambda: None, write_timeout=30)
    outbox.on_overflow = on_overflow
    return outbox


def drive(outbox: Outbox) -> None:
    """What the writer task does each time the socket is writable."""
    outbox._flush()  # pyright: ignore[reportPrivateUsage]  # the writer without its waiting


_takes = st.lists(st.one_of(st.just(-1), st.integers(0, 5), st.integers(0, 5000)), max_size=60)
_sizes = st.one_of(st.integers(0, 20), st.integers(0, 3000))


@given(_takes, st.lists(st.tuples(_sizes, st.booleans()), max_size=80))
def test_bytes_come_out_whole_and_in_order_whatever_the_socket_takes(
    takes: list[int], offers: list[tuple[int, bool]]
) -> None:
    fake = FakeSocket(takes)
    outbox = outbox_over(fake)
    drained: list[int] = []
    outbox.on_drained = lambda: drained.append(len(fake.written))
    expected = bytearray()
    for number, (size, writable) in enumerate(offers):
        data = bytes([number % 256]) * size
        expected += data
        waited = outbox.queued_bytes
        taken = outbox.offer(data)
        assert taken == (fake.written == expected and not waited) or not data
        assert outbox.queued_bytes == len(expected) - len(fake.written)
        if writable:
            drive(outbox)
    for _ in range(200):
        drive(outbox)
    assert fake.written == expected
    assert outbox.queued_bytes == 0
    assert outbox.high_water <= len(expected)
    assert not drained or drained[-1] <= len(expected)


@given(_takes, st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=60), st.booleans())
def test_the_close_frame_is_the_last_and_cuts_no_frame(
    takes: list[int], offers: list[tuple[int, bool]], discard: bool
) -> None:
    fake = FakeSocket(takes)
    outbox = outbox_over(fake)
    frames: list[bytes] = []
    for number, (size, writable) in enumerate(offers):
        frames.append(bytes([number]) * size)
        outbox.offer(frames[-1])
        if writable:
            drive(outbox)
    outbox.close_after(b"CLOSE", discard_queued=discard)
    assert outbox.closed
    assert not outbox.offer(b"too late")
    outbox.close_after(b"AGAIN")
    for _ in range(200):
        drive(outbox)
    assert outbox.dropped >= 1
    written = bytes(fake.written)
    assert written.endswith(b"CLOSE")
    body = written.removesuffix(b"CLOSE")
    whole = [b"".join(frames[:count]) for count in range(len(frames) + 1)]
    assert body in whole
    if not discard:
        assert body == whole[-1]


@given(
    _takes,
    st.lists(
        st.one_of(
            st.tuples(st.just("offer"), _sizes),
            st.tuples(st.just("send"), _sizes),
            st.tuples(st.just("cancel"), st.just(0)),
            st.tuples(st.just("write"), st.just(0)),
        ),
        max_size=40,
    ),
)
def test_sends_keep_their_place_among_offers_and_a_cancelled_one_comes_whole_or_not_at_all(
    takes: list[int], steps: list[tuple[str, int]]
) -> None:
    fake = FakeSocket(takes)
    outbox = outbox_over(fake)
    called: list[tuple[bytes, bool]] = []
    waiting: list[trio.CancelScope] = []

    async def send(data: bytes) -> None:
        with trio.CancelScope() as scope:
            waiting.append(scope)
            await outbox.send(data)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number, (step, size) in enumerate(steps):
                data = number.to_bytes(2, "big") * (size + 1)
                match step:
                    case "offer":
                        called.append((data, False))
                        outbox.offer(data)
                    case "send":
                        called.append((data, True))
                        nursery.start_soon(send, data)
                        await trio.testing.wait_all_tasks_blocked()
                    case "cancel" if waiting:
                        waiting[-1].cancel()
                        await trio.testing.wait_all_tasks_blocked()
                    case _:
                        drive(outbox)
            for _ in range(200):
                drive(outbox)

    trio.run(main)
    written = bytes(fake.written)
    for data, may_be_missing in called:
        if written.startswith(data):
            written = written.removeprefix(data)
        else:
            assert may_be_missing
    assert not written
    assert outbox.queued_bytes == 0


def test_the_first_offer_above_the_limit_overflows_once_and_all_later_ones_are_dropped() -> None:
    overflows: list[int] = []
    outbox = outbox_over(FakeSocket([-1]), limit=100, on_overflow=lambda: overflows.append(outbox.queued_bytes))
    assert not outbox.offer(b"a" * 60)
    assert not outbox.offer(b"b" * 40)
    assert not outbox.closed
    assert not outbox.offer(b"c")
    assert not outbox.offer(b"d")
    assert overflows == [100]
    assert outbox.closed
    assert outbox.dropped == 2
    assert outbox.high_water == 100


def test_an_offer_while_nothing_is_queued_is_taken_whole_even_above_the_limit() -> None:
    fake = FakeSocket([10, -1])
    outbox = outbox_over(fake, limit=100, on_overflow=pytest.fail)
    assert not outbox.offer(b"x" * 1000)
    assert outbox.queued_bytes == 990
    assert not outbox.closed


def test_an_overflow_that_closes_lets_go_of_what_was_queued() -> None:
    fake = FakeSocket([3])

    def close() -> None:
        outbox.close_after(b"CLOSE", discard_queued=True)

    outbox = outbox_over(fake, limit=100, on_overflow=close)
    outbox.offer(b"first")
    outbox.offer(b"y" * 90)
    outbox.offer(b"z" * 90)
    assert outbox.queued_bytes == 2
    drive(outbox)
    assert fake.written == b"firstCLOSE"


def test_a_drained_hook_may_offer_again() -> None:
    fake = FakeSocket([-1])
    outbox = outbox_over(fake)

    def more() -> None:
        outbox.on_drained = None
        assert outbox.offer(b"more")

    outbox.on_drained = more
    outbox.offer(b"first")
    drive(outbox)
    assert fake.written == b"firstmore"


@pytest.mark.parametrize("error", [errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS])
def test_a_broken_socket_makes_it_dead_and_offers_are_dropped_silently(error: int) -> None:
    fake = FakeSocket([-1])
    outbox = outbox_over(fake, on_overflow=pytest.fail)
    outbox.offer(b"queued")
    fake.broken = error
    drive(outbox)
    assert outbox.dead
    assert outbox.closed
    assert fake.shut
    assert outbox.queued_bytes == 0
    assert not outbox.offer(b"late")
    assert outbox.dropped == 2


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
            start_writer=lambda: nursery.start_soon(write),
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
