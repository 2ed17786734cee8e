"""The outbox: order, wholeness and bounds, on a socket that takes what it likes."""

import errno
import socket
from collections.abc import Callable, Sequence
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

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
    outbox = Outbox(cast("socket.socket", fake), limit=limit, start_writer=lambda _: None, write_timeout=30)
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


def fan_out(outbox: Outbox, frames: bytes) -> None:
    """As a conversation delivers: past the queue when it can."""
    try:
        taken = outbox.direct(frames)
    except OSError:
        outbox.offer(frames)
    else:
        if taken < len(frames):
            outbox.rest(frames, taken)


@given(_takes, st.lists(st.tuples(st.integers(1, 3000), st.sampled_from(["direct", "offer", "drive"])), max_size=80))
def test_direct_sends_never_overtake_what_is_queued(takes: list[int], steps: list[tuple[int, str]]) -> None:
    fake = FakeSocket([take or -1 for take in takes])
    outbox = outbox_over(fake)
    expected = bytearray()
    for number, (size, step) in enumerate(steps):
        frames = bytes([number]) * size
        match step:
            case "direct":
                fan_out(outbox, frames)
                expected += frames
            case "offer":
                outbox.offer(frames)
                expected += frames
            case _:
                drive(outbox)
    for _ in range(200):
        drive(outbox)
    assert fake.written == expected


def test_nothing_is_sent_directly_once_a_close_is_queued() -> None:
    fake = FakeSocket([])
    outbox = outbox_over(fake)
    outbox.close_after(b"CLOSE")
    fan_out(outbox, b"late")
    assert fake.written == b"CLOSE"
    assert outbox.dropped == 1


def test_a_direct_send_to_a_broken_socket_makes_the_outbox_dead() -> None:
    fake = FakeSocket([])
    outbox = outbox_over(fake)
    fake.broken = errno.EPIPE
    fan_out(outbox, b"late")
    assert outbox.dead
    assert outbox.dropped == 1


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
