"""How fast WebSockets are let in, and when the others are asked to come back."""

import json
from collections import Counter

import pytest
import structlog.testing
import trio
from trio.testing import MockClock

from chathttp.edge.admission import LATEST, REPORT_SECONDS, SOONEST, Admission
from chathttp.edge.limits import EdgeLimits
from tests.chathttp.edge.edge_kit import RawWebSocket, running_edge


async def test_a_burst_is_let_in_at_once_and_then_the_rate(autojump_clock: MockClock) -> None:
    admission = Admission(100, 50)
    let_in: list[int] = []
    for pause in (0.0, 0.125, 100.0):
        await trio.sleep(pause)
        let_in.append(sum(admission.try_enter() is None for _ in range(80)))
    assert let_in == [50, 12, 50]
    assert admission.refused == 3 * 80 - sum(let_in)


async def test_those_who_come_back_when_told_are_let_in_about_as_fast_as_can_be(autojump_clock: MockClock) -> None:
    rate, crowd = 1000.0, 20_000
    admission = Admission(rate, 500)
    attempts: Counter[int] = Counter()
    let_in = 0
    began = trio.current_time()

    async def client() -> None:
        nonlocal let_in
        while (seconds := admission.try_enter()) is not None:
            attempts[int(trio.current_time() - began)] += 1
            assert SOONEST <= seconds <= LATEST
            await trio.sleep(seconds)
        let_in += 1

    async with trio.open_nursery() as nursery:
        for _ in range(crowd):
            nursery.start_soon(client)
    assert let_in == crowd
    assert trio.current_time() - began < 4 * crowd / rate
    assert max(count for second, count in attempts.items() if second) < 2 * rate


async def test_refusals_are_logged_seldom(autojump_clock: MockClock) -> None:
    admission = Admission(1, 1)
    with structlog.testing.capture_logs() as logs:
        for _ in range(1000):
            admission.try_enter()
            await trio.sleep(REPORT_SECONDS / 500)
    assert len(logs) == 2
    assert logs[1]["refused"] > 400


@pytest.mark.parametrize("first", ["an upgrade", "a request"])
async def test_above_the_rate_websockets_are_refused_and_http_is_served(first: str) -> None:
    async with running_edge(limits=EdgeLimits(connect_rate=0.001, connect_burst=2)) as edge:
        for _ in range(2):
            await edge.websocket()
        refused = RawWebSocket(await edge.connect())
        if first == "a request":
            assert (await refused.request("/"))[0] == 200
        status, headers, body = await refused.handshake()
        assert (status, json.loads(body)["errorCode"]) == (503, "OVERLOADED")
        assert SOONEST <= int(headers["retry-after"]) <= LATEST
        assert (await RawWebSocket(await edge.connect()).request("/"))[0] == 200
        assert (edge.server.refused, edge.server.sessions) == (1, 2)


async def test_a_handshake_that_is_wrong_takes_nobodys_place() -> None:
    async with running_edge(limits=EdgeLimits(connect_rate=0.001, connect_burst=1)) as edge:
        wrong = RawWebSocket(await edge.connect())
        assert (await wrong.handshake(Sec_WebSocket_Version="12"))[0] == 426
        await edge.websocket()
