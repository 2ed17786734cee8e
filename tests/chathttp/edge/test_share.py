"""One listener and several processes: who accepts when."""

import os
from collections.abc import Generator
from contextlib import ExitStack

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from chathttp.edge.listener import open_listener
from chathttp.edge.server import EdgeServer
from chathttp.edge.share import GIVE_WAY_SECONDS, SLACK, ListenerShare, open_board
from tests.chathttp.edge.edge_kit import RawHttp, RawWebSocket, echo, hello_app, until


@pytest.fixture
def shares() -> Generator[list[ListenerShare]]:
    """Three shares of one listener, as three processes would have them."""
    board = open_board(3)
    with ExitStack() as stack:
        with open_listener("127.0.0.1", 0) as listener:
            made = [ListenerShare(os.dup(listener.fileno()), os.dup(board), index) for index in range(3)]
        os.close(board)
        for share in made:
            stack.callback(share.close)
        yield made


async def test_who_is_ahead_gives_way_for_a_moment(shares: list[ListenerShare], autojump_clock: MockClock) -> None:
    first, second, _ = shares
    first.hold(SLACK)
    second.hold(0)
    await first.give_way()
    assert trio.current_time() == 0
    first.hold(SLACK + 1)
    await first.give_way()
    assert trio.current_time() == GIVE_WAY_SECONDS
    await second.give_way()
    assert trio.current_time() == GIVE_WAY_SECONDS


def test_nobody_gives_way_to_one_that_does_not_accept(shares: list[ListenerShare]) -> None:
    first, second, third = shares
    first.hold(1000)
    assert not first.is_ahead, "the others have not begun"
    second.hold(0)
    assert first.is_ahead
    second.step_back()
    assert not first.is_ahead
    third.hold(999)
    assert not first.is_ahead


async def test_connections_are_spread_and_one_that_leaves_takes_none_along(
    shares: list[ListenerShare], nursery: trio.Nursery
) -> None:
    edges = [EdgeServer([share.listener()], hello_app, echo, share=share) for share in shares]
    for edge in edges:
        await nursery.start(edge.run)
    clients: list[RawWebSocket] = []
    for _ in range(180):
        clients.append(RawWebSocket(await trio.open_tcp_stream("127.0.0.1", shares[0].port)))
        await clients[-1].open()
    counts = [edge.sessions for edge in edges]
    assert sum(counts) == 180
    assert max(counts) - min(counts) <= SLACK + 2, counts
    shares[0].leaving = True
    nursery.start_soon(edges[0].drain, 0.5)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(20):
        async with await trio.open_tcp_stream("127.0.0.1", shares[0].port) as stream:
            status, headers, body = await RawHttp(stream).request(f"/{number}")
            assert (status, body) == (200, b"/%d" % number)
            assert "connection" not in headers, "one that stays has answered"
    await until(lambda: edges[0].connections == 0)
    assert [edge.sessions for edge in edges] == [0, *counts[1:]]
    for client in clients:
        await client.stream.aclose()
    nursery.cancel_scope.cancel()
