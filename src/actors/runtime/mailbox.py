"""The bounded queue in front of an actor: many senders, one consumer."""

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import attrs
import trio
from trio.lowlevel import Abort, Task

from chatcore.errors import ChatError, ErrorCode

M = TypeVar("M")


class MailboxFull(ChatError):  # a refusal, not an error of the code that raised it
    """`OVERLOADED`: the message was not accepted because `mailbox` holds as many as it may."""

    def __init__(self, mailbox: str) -> None:
        super().__init__(ErrorCode.OVERLOADED, "Too much at once, try again in a moment", retry_after=1.0)
        self.mailbox = mailbox


class MailboxClosed(ChatError):  # a refusal, not an error of the code that raised it
    """`UNAVAILABLE`: `mailbox` accepts nothing any more; to its consumer, that nothing will come."""

    def __init__(self, mailbox: str) -> None:
        super().__init__(ErrorCode.UNAVAILABLE, "Try again in a moment", retry_after=1.0)
        self.mailbox = mailbox


@attrs.define(eq=False)
class _Putter(Generic[M]):
    """A sender that waits for room."""

    message: M
    accepted: bool = False


class Mailbox(Generic[M]):
    """A queue of at most `capacity` messages, first in, first out.

    A message is accepted when `offer` or `put` returns. An accepted message stays until the consumer takes
    it or `close` hands it back: a receive that is cancelled takes nothing.

    What the consumer took is *in hand* until it is done: at the next `receive` or `receive_batch`, or at
    `done()`. That survives the consumer, so whoever restarts it can pass on what was not finished.

    `express`, if the consumer has set it, is asked first for a message that comes while the consumer waits and nothing
    else does. It answers true when it has taken the message off the consumer's hands, at which it calls `hold`: the
    message is in hand, and the consumer is not woken, before `release`.

    `clock` gives seconds; it is read twice a receive and once a message, for `oldest_age` and `busy_seconds`.
    """

    on_spent: ClassVar[Callable[[str, float], None] | None] = None
    """While somebody watches: told a mailbox's name and the seconds spent on what was taken from it. Must not raise."""

    on_accepted: ClassVar[Callable[[object], None] | None] = None
    """While somebody follows: told each message that is queued, before it can be received. Must not raise."""

    def __init__(self, name: str, capacity: int, clock: Callable[[], float] = trio.current_time) -> None:
        if capacity < 1:
            raise ValueError("a mailbox holds at least one message")
        self.name = name
        self.capacity = capacity
        self.is_open = True
        self.received_total = 0
        self.refused_total = 0
        self.handled_total = 0
        self.busy_since: float | None = None
        self._clock = clock
        self._queue: deque[tuple[float, M]] = deque()  # with the time of its arrival
        self._putters: dict[Task, _Putter[M]] = {}
        self._receiver: Task | None = None
        self._in_hand: list[M] = []
        self._busy_total = 0.0
        self._held = False
        self._nudged = False
        self.express: Callable[[M], bool] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    # Senders

    def offer(self, message: M) -> None:
        """Accept `message` or refuse it at once.

        Raises `MailboxFull`, also while senders wait in `put` (they came first), and `MailboxClosed`.
        """
        if not self.is_open:
            self.refused_total += 1
            raise MailboxClosed(self.name)
        if self.express is not None and self._receiver is not None and not self._held and self.express(message):
            return
        if len(self._queue) >= self.capacity:
            self.refused_total += 1
            raise MailboxFull(self.name)
        if Mailbox.on_accepted is not None:
            Mailbox.on_accepted(message)
        self._queue.append((self._clock(), message))
        if self._receiver is not None:
            self._wake_receiver()

    async def put(self, message: M, *, timeout: float) -> None:
        """Accept `message`, waiting for room in turn for at most `timeout` seconds.

        Raises `MailboxFull` at the deadline, and `MailboxClosed`. Cancelled: the message was not accepted.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self.is_open or len(self._queue) < self.capacity:
            self.offer(message)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        putter = _Putter(message)
        task = trio.lowlevel.current_task()

        def give_up(_: object) -> Abort:
            del self._putters[task]
            return Abort.SUCCEEDED

        with trio.move_on_after(max(0.0, timeout)):
            self._putters[task] = putter
            await trio.lowlevel.wait_task_rescheduled(give_up)
        if not putter.accepted:
            self.refused_total += 1
            raise MailboxFull(self.name) if self.is_open else MailboxClosed(self.name)

    # The consumer

    async def receive(self) -> M:
        """The oldest message, in hand until done. Raises `MailboxClosed` once closed and empty."""
        return (await self.receive_batch(1))[0]

    async def receive_batch(self, limit: int) -> list[M]:
        """What waits, oldest first: at least one message, at most `limit`, in hand until done.

        Always a checkpoint. Raises `MailboxClosed` once closed and empty, `trio.BusyResourceError` when
        another task receives already.
        """
        while True:
            batch = await self.receive_batch_or_nudge(limit)
            if batch:
                return batch

    async def receive_batch_or_nudge(self, limit: int) -> list[M]:
        """As `receive_batch`, but empty when `nudge` or `release_to_finish` came first."""
        self.done()
        if self._queue:
            await trio.lowlevel.checkpoint()
        else:
            await self._wait_for_message()
            if self._in_hand:
                return []
            if not self._queue:
                if not self.is_open:
                    raise MailboxClosed(self.name)
                return []
        batch = self._take(limit)
        self._in_hand = batch.copy()
        return batch

    def nudge(self) -> None:
        """Wake the consumer if it waits in `receive_batch_or_nudge`."""
        self._nudged = self._held
        self._wake_receiver()

    def hold(self, message: M, now: float) -> None:
        """`express` has taken `message`: it is in hand, and nothing wakes the consumer before `release`."""
        self._held = True
        self._in_hand = [message]
        self.received_total += 1
        self.busy_since = now

    def release(self, now: float) -> None:
        """What was held is done: the consumer waits on, unless something came meanwhile."""
        self.done(now)
        nudged = self._nudged
        self._held = self._nudged = False
        if self._queue or nudged or not self.is_open:
            self._wake_receiver()

    def release_to_finish(self) -> None:
        """Wake the consumer with nothing received, to finish what is in hand."""
        self._held = self._nudged = False
        self._wake_receiver()

    def end_express(self) -> None:
        """The consumer goes; what is held stays in hand."""
        self._held = self._nudged = False
        self.express = None

    def try_receive(self) -> M | None:
        """The oldest message if one waits; it joins what is in hand already."""
        if not self._queue:
            return None
        message = self._take(1)[0]
        self._in_hand.append(message)
        return message

    @property
    def in_hand(self) -> list[M]:
        """What was received and is not done, in order of receipt."""
        return self._in_hand.copy()

    def done(self, now: float | None = None) -> None:
        """What is in hand is finished. `now` saves a look at the clock."""
        if self._in_hand:
            self.handled_total += len(self._in_hand)
            self._in_hand = []
        self.pause(now)

    def pause(self, now: float | None = None) -> None:
        """The consumer stopped working on what is in hand, finished or not: its clock stands still."""
        if self.busy_since is not None:
            spent = (self._clock() if now is None else now) - self.busy_since
            self._busy_total += spent
            self.busy_since = None
            if Mailbox.on_spent is not None:
                Mailbox.on_spent(self.name, spent)

    # Ends

    def close_if_empty(self) -> bool:
        """Close if nothing waits, neither a message nor a sender; without a checkpoint. True when closed."""
        if self._queue or not self.is_open:
            return not self._queue
        self.is_open = False
        return True

    def seal(self) -> None:
        """Accept nothing more; what waits can still be received, then receiving raises `MailboxClosed`."""
        self.is_open = False
        for task in self._putters:
            trio.lowlevel.reschedule(task)
        self._putters.clear()
        if self._receiver is not None:
            self._wake_receiver()

    def close(self) -> list[M]:
        """Accept nothing more and give back what waited, oldest first, for the owner to refuse."""
        self.seal()
        leftovers = [message for _, message in self._queue]
        self._queue.clear()
        self.refused_total += len(leftovers)
        return leftovers

    def take_in_hand(self) -> list[M]:
        """Give back what is in hand, for the owner to refuse; nothing is in hand afterwards."""
        unfinished, self._in_hand = self._in_hand, []
        self.refused_total += len(unfinished)
        self.pause()
        return unfinished

    def reopen(self) -> None:
        """Accept again, after `close_if_empty`: what is in hand and the totals are kept."""
        self.is_open = True

    # Introspection

    @property
    def depth(self) -> int:
        return len(self._queue)

    @property
    def oldest_age(self) -> float:
        """Seconds that the oldest message has waited; 0 when none waits."""
        return self._clock() - self._queue[0][0] if self._queue else 0.0

    @property
    def busy_seconds(self) -> float:
        """Seconds that the consumer spent between receiving and being done, the present batch included."""
        now = 0.0 if self.busy_since is None else self._clock() - self.busy_since
        return self._busy_total + now

    def _take(self, limit: int) -> list[M]:
        if limit >= len(self._queue):
            batch = [message for _, message in self._queue]
            self._queue.clear()
        else:
            batch = [self._queue.popleft()[1] for _ in range(limit)]
        self.received_total += len(batch)
        now = self._clock()
        if self.busy_since is None:
            self.busy_since = now
        while self._putters and len(self._queue) < self.capacity:
            task = next(iter(self._putters))
            putter = self._putters.pop(task)
            putter.accepted = True
            if Mailbox.on_accepted is not None:
                Mailbox.on_accepted(putter.message)
            self._queue.append((now, putter.message))
            trio.lowlevel.reschedule(task)
        return batch

    async def _wait_for_message(self) -> None:
        if not self.is_open:
            raise MailboxClosed(self.name)
        if self._receiver is not None:
            raise trio.BusyResourceError(f"mailbox {self.name} has a consumer already")
        self._receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._stop_receiving)

    def _stop_receiving(self, _: object) -> Abort:
        self._receiver = None
        return Abort.SUCCEEDED

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._held:
            trio.lowlevel.reschedule(self._receiver)
            self._receiver = None
