import pytest
import trio
import trio.testing

from chathttp.sockjs.outbox import TAKEN_BYTES, PendingLines


def test_nothing_goes_straight_out() -> None:
    pending = PendingLines(100)
    with pytest.raises(BlockingIOError):
        pending.direct(b"x")
    assert not pending.offer(b"1\n")
    pending.rest(b"2\n3\n", 2)
    assert pending.take() == b"1\n3\n"


def test_what_is_taken_counts_until_it_is_written() -> None:
    pending = PendingLines(100)
    pending.offer(b"1234\n")
    pending.take()
    assert (pending.queued_bytes, pending.waiting) == (5, False)
    assert pending.written()
    assert (pending.queued_bytes, pending.high_water) == (0, 5)


def test_the_first_offer_above_the_limit_is_dropped_and_told_of() -> None:
    pending, overflows = PendingLines(10), list[int]()
    pending.on_overflow = lambda: overflows.append(pending.queued_bytes)
    pending.offer(b"123456\n")
    pending.offer(b"abc")
    pending.offer(b"!")
    assert (overflows, pending.dropped) == ([10], 1)
    assert pending.take() == b"123456\nabc"


def test_what_finds_nothing_waiting_is_taken_whatever_its_size() -> None:
    pending = PendingLines(10)
    pending.offer(b"x" * 50)
    assert pending.waiting
    pending.take()
    pending.on_overflow = pending.close
    pending.offer(b"y")
    assert pending.closed


def test_a_response_gets_whole_pieces_up_to_a_bound() -> None:
    pending = PendingLines(10 * TAKEN_BYTES)
    pieces = [bytes([65 + n]) * (TAKEN_BYTES // 3) for n in range(7)]
    for piece in pieces:
        pending.offer(piece)
    taken = list[bytes]()
    while pending.waiting:
        taken.append(pending.take())
        pending.written()
    assert b"".join(taken) == b"".join(pieces)
    assert [len(each) <= TAKEN_BYTES for each in taken] == [True] * 3


async def test_who_waits_is_told_when_it_is_written_and_not_held_against_the_limit(nursery: trio.Nursery) -> None:
    pending = PendingLines(1)
    results = list[bool]()

    async def wait() -> None:
        results.append(await pending.wait_written(pending.put(b"replayed\n")))

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert (pending.queued_bytes, pending.take()) == (0, b"replayed\n")
    pending.written()
    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    pending.take()
    pending.lose()
    await trio.testing.wait_all_tasks_blocked()
    assert results == [True, False]


async def test_who_no_longer_waits_takes_it_back() -> None:
    pending = PendingLines(100)
    with trio.move_on_after(0):
        await pending.wait_written(pending.put(b"x"))
    assert not pending.waiting
    piece = pending.put(b"y")
    pending.take()
    with trio.move_on_after(0):
        await pending.wait_written(piece)
    assert pending.written()


def test_nothing_is_taken_in_once_closed() -> None:
    pending = PendingLines(100)
    pending.offer(b"1")
    pending.close()
    pending.offer(b"2")
    assert (pending.take(), pending.dropped) == (b"1", 1)


def test_what_is_lost_is_counted_and_let_go_of() -> None:
    pending = PendingLines(100)
    pending.offer(b"1")
    pending.take()
    pending.offer(b"2")
    pending.retire()
    assert (pending.queued_bytes, pending.dropped, pending.waiting) == (0, 2, False)
