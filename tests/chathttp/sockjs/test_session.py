"""One session over HTTP, with its requests played by hand."""

import json

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.transport import ConnectionEnded, Peer
from chathttp.sockjs.limits import SockjsLimits
from chathttp.sockjs.session import HttpSession

LIMITS = SockjsLimits(max_frame_bytes=100, outbox_limit_bytes=200, take_timeout=3.0, max_senders=2)
PEER = Peer("192.0.2.1", 50_000)


def new_session() -> HttpSession:
    return HttpSession("xhr", PEER, LIMITS)


def offer(session: HttpSession, text: str) -> bool:
    return session.offer(session.frame(text.encode()))


async def poll(session: HttpSession) -> str:
    """A request that receives one frame."""
    assert session.attach(PEER)
    out = await session.next_out()
    session.written()
    session.detach(interrupted=False)
    return out.frame.decode()


async def end_of(session: HttpSession) -> tuple[int, str]:
    with pytest.raises(ConnectionEnded) as caught:
        await session.receive()
    return caught.value.code, caught.value.reason


async def test_the_first_frame_opens_and_the_next_bring_what_waited() -> None:
    session = new_session()
    offer(session, "one")
    offer(session, 'two\n"')
    assert await poll(session) == "o"
    assert json.loads((await poll(session))[1:]) == ["one", 'two\n"']


async def test_a_request_waits_for_something_to_come(nursery: trio.Nursery, mock_clock: MockClock) -> None:
    session, frames = new_session(), list[str]()
    await poll(session)

    async def wait() -> None:
        frames.append(await poll(session))

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    offer(session, "late")
    await trio.testing.wait_all_tasks_blocked()
    assert frames == ['a["late"]']


async def test_a_client_that_nothing_was_sent_to_gets_a_heartbeat(autojump_clock: MockClock) -> None:
    session = new_session()
    await poll(session)
    began = trio.current_time()
    assert await poll(session) == "h"
    assert trio.current_time() - began == pytest.approx(LIMITS.heartbeat)


async def test_a_ping_ends_the_response_so_that_the_client_shows_itself(autojump_clock: MockClock) -> None:
    session = new_session()
    await poll(session)
    session.attach(PEER)
    session.ping()
    out = await session.next_out()
    assert (out.frame, out.ends) == (b"h", True)
    session.written()
    session.detach(interrupted=False)
    await trio.sleep(1)
    session.attach(PEER)
    assert session.last_received == trio.current_time()


async def test_a_second_request_may_not_receive_beside_the_first() -> None:
    session = new_session()
    assert session.attach(PEER)
    assert not session.attach(PEER)
    session.detach(interrupted=False)
    assert session.attach(PEER)


async def test_messages_come_in_the_order_of_the_requests(nursery: trio.Nursery) -> None:
    session = new_session()
    session.attach(PEER)
    await session.put(["1", "2"])
    nursery.start_soon(session.put, ["3"])
    assert [await session.receive() for _ in range(3)] == ["1", "2", "3"]


async def test_a_request_that_sends_waits_for_a_slow_session_and_is_refused_in_time(autojump_clock: MockClock) -> None:
    session = new_session()
    session.attach(PEER)
    await session.put(["1"])
    began = trio.current_time()
    with pytest.raises(ChatError) as caught:
        await session.put(["2"])
    assert caught.value.code is ErrorCode.OVERLOADED
    assert caught.value.retry_after
    assert trio.current_time() - began == pytest.approx(LIMITS.take_timeout)
    assert await session.receive() == "1"
    await session.put(["3"])
    assert await session.receive() == "3"


async def test_no_more_requests_wait_to_send_than_may(nursery: trio.Nursery, mock_clock: MockClock) -> None:
    session = new_session()
    session.attach(PEER)
    await session.put(["1"])
    nursery.start_soon(session.put, ["2"])
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(session.put, ["3"])
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(ChatError) as caught:
        await session.put(["4"])
    assert caught.value.code is ErrorCode.OVERLOADED
    assert [await session.receive() for _ in range(3)] == ["1", "2", "3"]


async def test_a_message_above_the_limit_ends_it_as_too_big() -> None:
    session = new_session()
    session.attach(PEER)
    await session.put(["é" * 50, "é" * 51])
    assert await session.receive() == "é" * 50
    assert (await end_of(session))[0] == 1009


async def test_nobody_comes_and_it_is_lost_after_the_delay(autojump_clock: MockClock) -> None:
    session = new_session()
    await trio.sleep(1)
    await poll(session)
    began = trio.current_time()
    assert await end_of(session) == (1006, "")
    assert trio.current_time() - began == pytest.approx(LIMITS.disconnect_delay)
    assert session.closed


async def test_who_receives_is_there_however_long_it_takes(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    session = new_session()
    ended = list[float]()

    async def wait() -> None:
        await end_of(session)
        ended.append(trio.current_time())

    session.attach(PEER)
    nursery.start_soon(wait)
    await trio.sleep(10 * LIMITS.disconnect_delay)
    assert ended == []
    session.detach(interrupted=False)
    await trio.sleep(LIMITS.disconnect_delay - 0.1)
    assert ended == []
    await trio.sleep(0.2)
    assert len(ended) == 1


async def test_what_was_queued_goes_out_before_the_close_which_is_told_again() -> None:
    session = new_session()
    await poll(session)
    offer(session, "last")
    session.close(1012, "the server restarts")
    session.close(1000)
    assert not offer(session, "too late")
    assert await end_of(session) == (1012, "the server restarts")
    assert await poll(session) == 'a["last"]'
    assert await poll(session) == 'c[1012,"the server restarts"]'
    await session.wait_told()
    assert await poll(session) == 'c[3000,"Go away!"]'
    with pytest.raises(ChatError) as caught:
        await session.put(["x"])
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_it_is_forgotten_when_nobody_came_for_the_delay(autojump_clock: MockClock) -> None:
    session = new_session()
    await trio.sleep(3)
    session.close(1012)
    began = trio.current_time()
    await session.wait_told()
    await session.wait_forgotten()
    assert trio.current_time() - began == pytest.approx(LIMITS.disconnect_delay)


async def test_a_response_that_breaks_off_ends_it_as_interrupted() -> None:
    session = new_session()
    await poll(session)
    offer(session, "may be lost")
    session.attach(PEER)
    await session.next_out()
    session.detach(interrupted=True)
    assert await end_of(session) == (1002, "Connection interrupted")
    assert await poll(session) == 'c[1002,"Connection interrupted"]'


async def test_a_client_that_does_not_come_for_what_waits_is_closed_as_slow() -> None:
    session = new_session()
    await poll(session)
    while not session.closed:
        offer(session, "x" * 40)
        assert session.queued_bytes <= LIMITS.outbox_limit_bytes
    assert session.queued_bytes == 0
    assert await end_of(session) == (1013, "reads too slowly")
    assert await poll(session) == 'c[1013,"reads too slowly"]'


async def test_a_response_that_is_stuck_does_not_make_dropped_messages_count_as_written() -> None:
    session, drained = new_session(), list[int]()
    session.on_drained = lambda: drained.append(1)
    await poll(session)
    session.attach(PEER)
    offer(session, "x" * 40)
    await session.next_out()
    while not session.closed:
        offer(session, "x" * 40)
    session.written()
    assert drained == []


async def test_it_says_when_all_has_been_written() -> None:
    session, drained = new_session(), list[int]()
    session.on_drained = lambda: drained.append(session.queued_bytes)
    await poll(session)
    offer(session, "1")
    assert drained == []
    await poll(session)
    assert drained == [0]


async def test_a_replay_is_pulled_at_the_pace_of_the_client(nursery: trio.Nursery) -> None:
    session, sent = new_session(), list[int]()
    await poll(session)

    async def replay() -> None:
        for number in range(3):
            await session.send(session.frame(b"x" * 300))
            sent.append(number)

    nursery.start_soon(replay)
    for number in range(3):
        await trio.testing.wait_all_tasks_blocked()
        assert len(sent) == number
        assert (await poll(session)).startswith('a["xxx')
    await trio.testing.wait_all_tasks_blocked()
    assert (sent, session.closed) == ([0, 1, 2], False)


async def test_who_waits_to_send_is_told_of_the_end(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    session, ends = new_session(), list[int]()

    async def replay() -> None:
        with pytest.raises(ConnectionEnded) as caught:
            await session.send(session.frame(b"x"))
        ends.append(caught.value.code)

    nursery.start_soon(replay)
    assert await end_of(session) == (1006, "")
    await trio.testing.wait_all_tasks_blocked()
    assert ends == [1006]
    with pytest.raises(ConnectionEnded):
        await session.send(session.frame(b"x"))
