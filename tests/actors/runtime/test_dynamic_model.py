"""Whatever happens to actors and askers, no accepted message is lost or handled twice, and every asker hears."""

import random
from collections import Counter
from contextlib import suppress

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.runtime import (
    ActorBehaviour,
    ActorContext,
    DynamicSupervisor,
    EventKind,
    MailboxClosed,
    Reply,
    RestartIntensity,
    SupervisorEvent,
)
from chatcore.errors import ChatError
from tests.actors.runtime.drive import run_on_mock_clock

CAPACITY = 4
MAX_CHILDREN = 2


class Broken(Exception):
    pass


@attrs.define(eq=False)
class Request:
    """Takes `takes` seconds, after it has crashed the actor `crashes` times."""

    number: int
    takes: float
    crashes: int
    reply: Reply[int]


@attrs.frozen
class Send:
    """After `wait` seconds a request to `key`: told, told with patience, or asked and perhaps given up."""

    wait: float
    key: str
    how: str
    takes: float
    crashes: int


@attrs.frozen
class Habits:
    """Of all actors: seconds until an idle one goes, seconds its last flush takes, whether that crashes."""

    idle: float
    flush: float
    batch: int
    flush_crashes: bool


sends = st.lists(
    st.builds(
        Send,
        wait=st.sampled_from([0.0, 0.0, 0.0, 0.1, 1.0, 3.0]),
        key=st.sampled_from(["a", "b", "c"]),
        how=st.sampled_from(["tell", "tell", "live", "tell_wait", "ask", "ask cancelled", "tell_wait cancelled"]),
        takes=st.sampled_from([0.0, 0.0, 0.3, 2.0]),
        crashes=st.sampled_from([0, 0, 0, 1, 2, 9]),
    ),
    max_size=30,
)
habits = st.builds(
    Habits,
    idle=st.sampled_from([0.1, 1.0, 3.0]),
    flush=st.sampled_from([0.0, 0.5]),
    batch=st.integers(1, 5),
    flush_crashes=st.booleans(),
)
intensities = st.builds(
    RestartIntensity,
    max_restarts=st.integers(0, 3),
    within=st.just(20.0),
    backoff_initial=st.sampled_from([0.0, 0.2]),
    backoff_max=st.just(1.0),
    jitter=st.sampled_from([0.0, 1.0]),
)


class World:
    """A dynamic supervisor of actors that behave like a conversation's, and the record of all requests."""

    def __init__(self, habits: Habits, intensity: RestartIntensity, seed: int) -> None:
        self.habits = habits
        self.accepted: set[int] = set()
        self.told: list[tuple[str, int]] = []
        self.received: list[tuple[str, int]] = []
        self.finished: set[int] = set()
        self.refused: set[int] = set()
        self.settled: Counter[int] = Counter()
        self.heard: Counter[int] = Counter()
        self.asked: set[int] = set()
        self.alive: set[str] = set()
        self.restarts: list[float] = []
        self.quarantines: list[float] = []
        self.supervisor = DynamicSupervisor[str, Request](
            "w",
            self.behaviour,
            capacity=CAPACITY,
            max_children=MAX_CHILDREN,
            intensity=intensity,
            rng=random.Random(seed),
            refuse=self._refuse,
            quarantine=5.0,
            on_event=self._note,
        )

    def behaviour(self, key: str) -> ActorBehaviour[Request]:
        async def live(context: ActorContext[Request]) -> None:
            assert key not in self.alive, "two incarnations at once"
            self.alive.add(key)
            try:
                await self._live(key, context)
            finally:
                self.alive.remove(key)

        return live

    async def send(self, number: int, send: Send) -> None:
        """Send one request by its own way; runs until its sender has heard what there is to hear."""
        reply = Reply[int].to(lambda _: self.settled.update([number]))
        request = Request(number, send.takes, send.crashes, reply)
        ref = self.supervisor.ref(send.key)
        try:
            match send.how:
                case "tell":
                    ref.tell(request)
                    self.told.append((send.key, number))
                case "live":
                    live = self.supervisor.live(send.key)
                    if live is None:
                        return
                    live.tell(request)
                    self.told.append((send.key, number))
                case "tell_wait" | "tell_wait cancelled":
                    with trio.move_on_after(0.05 if send.how.endswith("cancelled") else 50) as scope:
                        await ref.tell_wait(request, 1.5)
                    if scope.cancelled_caught:
                        return
                case _:
                    await self._ask(number, send, request)
                    return
        except ChatError:
            return
        self.accepted.add(number)

    async def _ask(self, number: int, send: Send, request: Request) -> None:
        def make(reply: Reply[int]) -> Request:
            request.reply = reply
            return request

        self.asked.add(number)
        with trio.move_on_after(0.15 if send.how.endswith("cancelled") else 50) as scope:
            with suppress(ChatError):
                assert await self.supervisor.ref(send.key).ask(make, timeout=4.0) == number
        if scope.cancelled_caught:
            assert send.how == "ask cancelled"
        self.heard.update([number])

    async def _live(self, key: str, context: ActorContext[Request]) -> None:
        await self._perform(context.in_hand)
        context.done()
        while True:
            batch = await self._next(context)
            if batch is None:
                break
            self.received.extend((key, request.number) for request in batch)
            await self._perform(batch)
        await trio.sleep(self.habits.flush)
        if self.habits.flush_crashes and context.restart_count == 0:
            raise Broken("flush")

    async def _next(self, context: ActorContext[Request]) -> list[Request] | None:
        while True:
            with trio.move_on_after(self.habits.idle):
                try:
                    return await context.mailbox.receive_batch(self.habits.batch)
                except MailboxClosed:
                    return None
            if context.mailbox.close_if_empty():
                return None

    async def _perform(self, requests: list[Request]) -> None:
        for request in requests:
            assert request.number not in self.finished, "handed on although finished"
            if request.crashes:
                request.crashes -= 1
                raise Broken(request.number)
            await trio.sleep(request.takes)
            request.reply.succeed(request.number)
        self.finished.update(request.number for request in requests)

    def _refuse(self, request: Request, error: ChatError) -> None:
        assert request.number not in self.refused | self.finished, "refused although refused or finished"
        self.refused.add(request.number)
        request.reply.fail(error)

    def _note(self, event: SupervisorEvent) -> None:
        assert len(self.supervisor) <= MAX_CHILDREN
        if event.kind is EventKind.RESTARTING:
            self.restarts.append(trio.current_time())
        if event.kind is EventKind.QUARANTINED:
            self.quarantines.append(trio.current_time())

    def check_end(self) -> None:
        """Nothing of a supervisor that has ended is left."""
        assert len(self.supervisor) == 0
        assert self.alive == set()

    def check_requests(self) -> None:
        """Of every accepted message one thing became, and every asker heard of it."""
        receipts = Counter(number for _, number in self.received)
        assert not receipts or max(receipts.values()) == 1, "received twice"
        for number in self.accepted:
            assert receipts[number] or number in self.refused, "lost"
            assert self.settled[number] == 1, "never settled"
        assert all(self.settled[number] <= 1 for number in self.settled)
        assert self.asked == set(self.heard), "an asker was left alone"
        told = set(self.told)
        for key in "abc":
            order = [pair for pair in self.received if pair in told and pair[0] == key]
            assert order == [pair for pair in self.told if pair in set(order)], "received out of order"


@settings(max_examples=150, deadline=None)
@given(habits, intensities, sends, st.sampled_from(["cancel", "stop", "stop late"]), st.integers(0, 99))
def test_no_message_is_lost_or_handled_twice(
    habits: Habits, intensity: RestartIntensity, script: list[Send], end: str, seed: int
) -> None:
    async def main() -> None:
        world = World(habits, intensity, seed)
        async with trio.open_nursery() as senders:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.supervisor.run)
                await wait_all_tasks_blocked()
                for number, send in enumerate(script):
                    await trio.sleep(send.wait)
                    senders.start_soon(world.send, number, send)
                if end == "cancel":
                    nursery.cancel_scope.cancel()
                else:
                    await trio.sleep(100 if end == "stop late" else 0.5)
                    await world.supervisor.stop(2.0)
            world.check_end()
        world.check_requests()

    run_on_mock_clock(main)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.lists(st.sampled_from([0.0, 0.3, 4.0]), max_size=20), st.integers(0, 99))
def test_restarts_stay_within_the_intensity(most: int, gaps: list[float], seed: int) -> None:
    intensity = RestartIntensity(most, within=8.0, backoff_initial=0.1, backoff_max=0.1, jitter=0.5)

    async def main() -> None:
        world = World(Habits(1000.0, 0.0, 1, False), intensity, seed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.supervisor.run)
            for number, gap in enumerate(gaps):
                await trio.sleep(gap)
                await world.send(number, Send(0.0, "a", "tell", 0.0, 1))
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        for moment in world.restarts:
            since = max((at for at in world.quarantines if at <= moment), default=-1.0)
            assert sum(max(since, moment - 8.0) < at <= moment for at in world.restarts) <= most
        for moment in world.quarantines:
            since = max((at for at in world.quarantines if at < moment), default=-1.0)
            assert sum(max(since, moment - 8.0) < at <= moment for at in world.restarts) == most

    run_on_mock_clock(main)
