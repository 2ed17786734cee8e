"""Request heads: read under a deadline and a bound, parsed strictly or left to hypercorn."""

import socket
from collections.abc import Iterator

import h11
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from chathttp.edge.head import HeadTooLarge, ReceivedHead, parse_head, read_head

HEAD = b"GET /ws?a=b HTTP/1.1\r\nHost: chat.test\r\nConnection: keep-alive, Upgrade\r\nConnection: x\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        yield near, far


def test_a_head_is_taken_apart() -> None:
    head = parse_head(HEAD)
    assert head is not None
    assert (head.method, head.path, head.query, head.version) == (b"GET", b"/ws", b"a=b", b"1.1")
    assert head.values(b"host") == [b"chat.test"]
    assert head.tokens(b"connection") == [b"keep-alive", b"Upgrade", b"x"]
    assert head.values(b"upgrade") == []


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\n\n",
    ],
)
def test_what_is_no_plain_http_1_is_left_to_others(head: bytes) -> None:
    assert parse_head(head) is None


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    parse_head(data)
    parse_head(b"GET / HTTP/1.1\r\n" + data)


@given(
    st.lists(
        st.tuples(
            st.from_regex(rb"[A-Za-z][A-Za-z-]{0,10}", fullmatch=True), st.from_regex(rb"[!-~]{0,20}", fullmatch=True)
        ),
        max_size=6,
    )
)
def test_it_sees_what_h11_sees(headers: list[tuple[bytes, bytes]]) -> None:
    reserved = {b"host", b"content-length", b"transfer-encoding"}
    lines = [(b"Host", b"x"), *(header for header in headers if header[0].lower() not in reserved)]
    raw = b"GET /x HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % line for line in lines) + b"\r\n"
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    head = parse_head(raw)
    assert head is not None
    assert list(head.headers) == [(bytes(name), bytes(value)) for name, value in request.headers]


async def test_a_head_is_found_in_any_pieces_and_what_follows_is_kept(
    ends: tuple[socket.socket, socket.socket], nursery: trio.Nursery
) -> None:
    near, far = ends

    async def send() -> None:
        for at in range(len(HEAD)):
            far.send(HEAD[at : at + 1] if at < len(HEAD) - 1 else HEAD[at:] + b"body")
            await trio.testing.wait_all_tasks_blocked()

    nursery.start_soon(send)
    assert await read_head(near, timeout=10, max_bytes=1000, waiting=set()) == ReceivedHead(HEAD, b"body")


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\n\r\n"])
async def test_bare_line_feeds_end_a_head_too(ends: tuple[socket.socket, socket.socket], end: bytes) -> None:
    near, far = ends
    far.send(b"GET / HTTP/1.1" + end + b"rest")
    assert await read_head(near, timeout=10, max_bytes=1000, waiting=set()) == ReceivedHead(
        b"GET / HTTP/1.1" + end, b"rest"
    )


async def test_who_says_nothing_is_given_up_at_the_deadline(
    ends: tuple[socket.socket, socket.socket], autojump_clock: MockClock
) -> None:
    began = trio.current_time()
    assert await read_head(ends[0], timeout=10, max_bytes=1000, waiting=set()) is None
    assert trio.current_time() - began == pytest.approx(10)


async def test_one_byte_a_second_does_not_prolong_the_deadline(
    ends: tuple[socket.socket, socket.socket], autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    near, far = ends

    async def trickle() -> None:
        for byte in HEAD:
            far.send(bytes([byte]))
            await trio.sleep(1)

    began = trio.current_time()
    nursery.start_soon(trickle)
    assert await read_head(near, timeout=10, max_bytes=1000, waiting=set()) is None
    assert trio.current_time() - began == pytest.approx(10)
    nursery.cancel_scope.cancel()


async def test_a_head_above_the_bound_is_refused_with_end_or_without(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    far.send(b"GET / HTTP/1.1\r\nA: " + b"x" * 1000)
    with pytest.raises(HeadTooLarge):
        await read_head(near, timeout=10, max_bytes=1000, waiting=set())
    far.send(b"GET / HTTP/1.1\r\nA: " + b"x" * 1000 + b"\r\n\r\n")
    with pytest.raises(HeadTooLarge):
        await read_head(near, timeout=10, max_bytes=1000, waiting=set())


async def test_a_body_behind_the_head_does_not_count(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.send(HEAD + b"x" * 2000)
    received = await read_head(near, timeout=10, max_bytes=200, waiting=set())
    assert received == ReceivedHead(HEAD, b"x" * 2000)


async def test_a_peer_that_hangs_up_is_no_request(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.send(b"GET /")
    far.close()
    assert await read_head(near, timeout=10, max_bytes=200, waiting=set()) is None


async def test_who_says_nothing_can_be_ended_early(ends: tuple[socket.socket, socket.socket]) -> None:
    waiting: set[trio.CancelScope] = set()

    async def end() -> None:
        await trio.testing.wait_all_tasks_blocked()
        for scope in waiting:
            scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        assert await read_head(ends[0], timeout=10, max_bytes=200, waiting=waiting) is None
    assert not waiting
