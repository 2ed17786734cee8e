"""Any sequence of operations on a mailbox does what a plain list with a waiting queue would do."""

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.runtime import Mailbox, MailboxClosed, MailboxFull
from tests.actors.runtime.drive import run_on_mock_clock


@attrs.frozen
class Offer:
    pass


@attrs.frozen
class Put:
    timeout: float


@attrs.frozen
class CancelPut:
    which: int


@attrs.frozen
class Receive:
    limit: int


@attrs.frozen
class End:
    how: str


@attrs.frozen
class Pass:
    seconds: int


Step = Offer | Put | CancelPut | Receive | End | Pass

steps = st.lists(
    st.one_of(
        st.builds(Offer),
        # Never a whole number, so that no deadline falls together with another step.
        st.builds(Put, timeout=st.integers(0, 6).map(lambda seconds: seconds + 0.25)),
        st.builds(CancelPut, which=st.integers(0, 5)),
        st.builds(Receive, limit=st.integers(1, 4)),
        st.builds(End, how=st.sampled_from(["close_if_empty", "close", "seal", "reopen", "done", "try_receive"])),
        st.builds(Pass, seconds=st.integers(1, 4)),
    ),
    max_size=40,
)


class Comparison:
    """A mailbox beside its model. Each message is a number; `fates` and `expected` say what became of it."""

    def __init__(self, capacity: int, nursery: trio.Nursery) -> None:
        self.mailbox = Mailbox[int]("m", capacity)
        self.fates: dict[int, str] = {}
        self.expected: dict[int, str] = {}
        self._capacity = capacity
        self._nursery = nursery
        self._scopes: dict[int, trio.CancelScope] = {}
        self._numbers = 0
        self._open = True
        self._queue: list[int] = []
        self._waiting: dict[int, float] = {}
        self._in_hand: list[int] = []
        self._handled = 0

    async def take(self, step: Step) -> None:
        match step:
            case Offer():
                self._offer()
            case Put(timeout):
                await self._put(timeout)
            case CancelPut(which):
                self._cancel(which)
            case Receive(limit):
                await self._receive(limit)
            case End(how):
                self._end(how)
            case Pass(seconds):
                await trio.sleep(seconds)
        await wait_all_tasks_blocked()
        for number, deadline in list(self._waiting.items()):
            if deadline <= trio.current_time():
                del self._waiting[number]
                self.expected[number] = "full"
        self.check()

    def check(self) -> None:
        assert self.fates == self.expected
        assert self.mailbox.depth == len(self._queue)
        assert self.mailbox.in_hand == self._in_hand
        assert self.mailbox.handled_total == self._handled
        assert self.mailbox.is_open == self._open
        received = [fate for fate in self.fates.values() if fate == "received"]
        assert self.mailbox.received_total == len(received)
        refused = [fate for fate in self.fates.values() if fate in ("full", "closed", "given back")]
        assert self.mailbox.refused_total == len(refused)

    def _offer(self) -> None:
        number = self._number()
        self._expect_arrival(number, None)
        try:
            self.mailbox.offer(number)
        except MailboxFull:
            self.fates[number] = "full"
        except MailboxClosed:
            self.fates[number] = "closed"

    async def _put(self, timeout: float) -> None:
        number = self._number()
        scope = self._scopes[number] = trio.CancelScope()

        async def put() -> None:
            with scope:
                try:
                    await self.mailbox.put(number, timeout=timeout)
                except MailboxFull:
                    self.fates[number] = "full"
                except MailboxClosed:
                    self.fates[number] = "closed"
            if scope.cancelled_caught:
                self.fates[number] = "cancelled"

        self._expect_arrival(number, trio.current_time() + timeout)
        self._nursery.start_soon(put)
        await wait_all_tasks_blocked()

    def _cancel(self, which: int) -> None:
        if which < len(self._waiting):
            number = list(self._waiting)[which]
            del self._waiting[number]
            self.expected[number] = "cancelled"
            self._scopes[number].cancel()

    async def _receive(self, limit: int) -> None:
        self._done()
        batch = self._expect_received(limit)
        self._in_hand = batch
        taken: list[int] = []
        with trio.move_on_after(0.5):
            try:
                taken = await self.mailbox.receive_batch(limit)
            except MailboxClosed:
                assert not self._open
        assert taken == batch
        self._note(taken, "received")

    def _end(self, how: str) -> None:
        match how:
            case "close_if_empty":
                assert self.mailbox.close_if_empty() == (not self._queue)
                self._open = self._open and bool(self._queue)
            case "close":
                leftovers, self._queue = self._queue, []
                self._expect(leftovers, "given back")
                self._seal()
                self._note(self.mailbox.close(), "given back")
            case "seal":
                self._seal()
                self.mailbox.seal()
            case "reopen":
                self._open = True
                self.mailbox.reopen()
            case "done":
                self._done()
                self.mailbox.done()
            case _:
                batch = self._expect_received(1)
                self._in_hand = self._in_hand + batch
                taken = self.mailbox.try_receive()
                self._note([] if taken is None else [taken], "received")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _expect_arrival(self, number: int, deadline: float | None) -> None:
        if not self._open:
            self.expected[number] = "closed"
        elif len(self._queue) < self._capacity:
            self._queue.append(number)
        elif deadline is None:
            self.expected[number] = "full"
        else:
            self._waiting[number] = deadline

    def _expect_received(self, limit: int) -> list[int]:
        batch, self._queue = self._queue[:limit], self._queue[limit:]
        while self._waiting and len(self._queue) < self._capacity:
            number = next(iter(self._waiting))
            del self._waiting[number]
            self._queue.append(number)
        self._expect(batch, "received")
        return batch

    def _seal(self) -> None:
        self._open = False
        self._expect(list(self._waiting), "closed")
        self._waiting.clear()

    def _done(self) -> None:
        self._handled += len(self._in_hand)
        self._in_hand = []

    def _expect(self, numbers: list[int], fate: str) -> None:
        self.expected.update(dict.fromkeys(numbers, fate))

    def _note(self, numbers: list[int], fate: str) -> None:
        for number in numbers:
            assert number not in self.fates, "one message, two fates"
            self.fates[number] = fate


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), steps)
def test_behaves_like_its_model(capacity: int, script: list[Step]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            comparison = Comparison(capacity, nursery)
            for step in script:
                await comparison.take(step)
            nursery.cancel_scope.cancel()

    run_on_mock_clock(main)
