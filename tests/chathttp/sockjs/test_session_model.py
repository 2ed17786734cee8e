"""Whatever offers, requests, pauses and replays come in whatever order: nothing is lost, repeated or turned round."""

import json

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from chatcore.errors import ChatError
from chathttp.edge.transport import ConnectionEnded, Peer
from chathttp.sockjs.limits import SockjsLimits
from chathttp.sockjs.session import HttpSession

PEER = Peer("192.0.2.1", 50_000)
LIMITS = SockjsLimits(outbox_limit_bytes=400)
STEPS = st.one_of(
    st.tuples(st.just("offer"), st.integers(0, 120)),
    st.tuples(st.just("replay"), st.integers(0, 900)),
    st.tuples(st.just("respond"), st.integers(1, 4)),
    st.tuples(st.just("send"), st.integers(0, 3)),
    st.tuples(st.just("pause"), st.integers(0, 6)),
    st.tuples(st.just("ping"), st.just(0)),
)


class Play:
    def __init__(self) -> None:
        self.session = HttpSession("xhr", PEER, LIMITS)
        self.offered: list[str] = []
        self.got: list[str] = []
        self.sent: list[str] = []
        self.received: list[str] = []
        self.frames: list[str] = []

    def text(self, size: int) -> str:
        return f"{len(self.offered)}:" + '"\n'[size % 2] * (size // 2)

    async def listen(self) -> None:
        while True:
            try:
                message = await self.session.receive()
            except ConnectionEnded:
                return
            assert isinstance(message, str)
            self.received.append(message)

    async def replay(self, text: str) -> None:
        try:
            await self.session.send(self.session.frame(text.encode()))
        except ConnectionEnded:
            assert self.session.closed

    async def respond(self, frames: int) -> None:
        """A response of so many frames, or fewer when one of them ends it."""
        assert self.session.attach(PEER)
        for _ in range(frames):
            out = await self.session.next_out()
            self.frames.append(out.frame.decode())
            if out.frame[:1] == b"a":
                self.got += json.loads(out.frame[1:])
            self.session.written()
            if out.ends:
                break
        self.session.detach(interrupted=False)

    async def step(self, kind: str, number: int, nursery: trio.Nursery) -> None:
        match kind:
            case "offer" | "replay" if not self.session.closed:
                text = self.text(number)
                self.offered.append(text)
                if kind == "offer":
                    self.session.offer(self.session.frame(text.encode()))
                else:
                    nursery.start_soon(self.replay, text)
                    await trio.testing.wait_all_tasks_blocked()
            case "respond":
                await self.respond(number)
            case "send" if not self.session.closed:
                texts = [f"{len(self.sent) + each}" for each in range(number)]
                try:
                    await self.session.put(texts)
                except ChatError:
                    assert self.session.closed
                    return
                self.sent += texts
                await trio.testing.wait_all_tasks_blocked()
            case "pause":
                await trio.sleep(number)
            case "ping":
                self.session.ping()
            case _:
                return

    async def run(self, steps: list[tuple[str, int]]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.listen)
            for kind, number in steps:
                await self.step(kind, number, nursery)
            if not self.session.closed:
                while self.got != self.offered:
                    before = len(self.got)
                    await self.respond(2)
                    assert len(self.got) > before or len(self.frames) < 3
            nursery.cancel_scope.cancel()
        assert self.got == self.offered[: len(self.got)]
        assert self.received == self.sent[: len(self.received)]
        assert self.session.closed or self.received == self.sent
        assert self.session.queued_bytes == 0 or self.session.closed
        assert self.frames.count("o") == (1 if self.frames else 0)


@given(st.lists(STEPS, max_size=25))
def test_nothing_is_lost_repeated_or_turned_round(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        await Play().run(steps)

    trio.run(play, clock=MockClock(autojump_threshold=0))
