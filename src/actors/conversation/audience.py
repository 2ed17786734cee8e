"""Who listens to a conversation, and the fan-out to them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

import trio
from attrs import field, frozen

from actors.conversation.subscription import Encoded, FrameFormat, Subscription, Topic
from chatcore.model import Mark
from chatcore.typing import Typing


@frozen
class FanOut:
    """How a delivery went: the subscriptions whose socket did not take the bytes at once, and those found closed."""

    late: Sequence[Subscription]
    gone: Sequence[Subscription]


NOBODY: Final = FanOut((), ())


class _Group:
    """The subscriptions of one topic whose frames are the same bytes."""

    __slots__ = ("_members", "_snapshot")

    def __init__(self) -> None:
        self._members: dict[Subscription, None] = {}
        self._snapshot: tuple[Subscription, ...] | None = None

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self._members

    def __bool__(self) -> bool:
        return bool(self._members)

    def add(self, subscription: Subscription) -> None:
        self._members[subscription] = None
        self._snapshot = None

    def discard(self, subscription: Subscription) -> None:
        del self._members[subscription]
        self._snapshot = None

    @property
    def members(self) -> tuple[Subscription, ...]:
        """As they are now; made anew only after a change, for a copy costs a large room as much as a few sends."""
        if self._snapshot is None:
            self._snapshot = tuple(self._members)
        return self._snapshot


class Audience:
    """The subscriptions of one conversation on this node, grouped by what their frames share."""

    def __init__(self) -> None:
        self._groups: dict[Topic, dict[FrameFormat, _Group]] = {topic: {} for topic in Topic}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Subscription]:
        for topic in Topic:
            yield from self.of_topic(topic)

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self._groups[subscription.topic].get(subscription.format, ())

    def of_topic(self, topic: Topic) -> Iterator[Subscription]:
        for group in self._groups[topic].values():
            yield from group.members

    def add(self, subscription: Subscription) -> None:
        groups = self._groups[subscription.topic]
        group = groups.get(subscription.format)
        if group is None:
            group = groups[subscription.format] = _Group()
        if subscription not in group:
            group.add(subscription)
            self._size += 1

    def discard(self, subscription: Subscription) -> bool:
        """True when it was there."""
        groups = self._groups[subscription.topic]
        group = groups.get(subscription.format)
        if group is None or subscription not in group:
            return False
        group.discard(subscription)
        if not group:
            del groups[subscription.format]
        self._size -= 1
        return True

    def discard_closed(self) -> None:
        """Forget the subscriptions whose connection has ended."""
        for subscription in [each for each in self if each.closed]:
            self.discard(subscription)

    async def deliver(self, events: Sequence[Encoded], slice_size: int) -> FanOut:
        """Offer `events` (by `rev`) to every message subscription that has not had them, each moved to the last `rev`.

        A checkpoint comes after every `slice_size` subscriptions, so that a large room does not hold the event loop.
        """
        late: list[Subscription] = []
        gone: list[Subscription] = []
        turn = _Turn(slice_size)
        for frame_format, group in list(self._groups[Topic.MESSAGES].items()):
            delivery = _Delivery(frame_format, events)
            for some in turn.slices(group.members):
                delivery.to(some, late, gone)
                await turn.yield_when_over()
        return FanOut(late, gone)

    def deliver_at_once(self, events: Sequence[Encoded]) -> FanOut:
        """As `deliver`, to an audience of one slice."""
        late: list[Subscription] = []
        gone: list[Subscription] = []
        for frame_format, group in self._groups[Topic.MESSAGES].items():
            _Delivery(frame_format, events).to(group.members, late, gone)
        return FanOut(late, gone)

    async def announce(self, topic: Topic, body: bytes, slice_size: int) -> None:
        """Offer one event that is never stored to every subscription of `topic`."""
        turn = _Turn(slice_size)
        for frame_format, group in list(self._groups[topic].items()):
            frame = frame_format.notice_frame(body)
            for some in turn.slices(group.members):
                for subscription in some:
                    if not subscription.closed:
                        subscription.outlet.offer(frame)
                await turn.yield_when_over()


class _Turn:
    """Lets the other tasks run after every `size` subscriptions, over all groups."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size

    def slices(self, members: Sequence[Subscription]) -> Iterator[Iterable[Subscription]]:
        """`members` in parts, each of which must be used up before the next is asked for."""
        remaining, unserved = iter(members), len(members)
        while unserved:
            some = min(unserved, self._left)
            yield islice(remaining, some)
            unserved -= some
            self._left -= some

    async def yield_when_over(self) -> None:
        if not self._left:
            self._left = self._size
            await trio.lowlevel.checkpoint()


class _Delivery:
    """Events on their way to the subscriptions of one format: those that have had none of them share the bytes."""

    __slots__ = ("_events", "_first", "_format", "_frames", "_last")

    def __init__(self, frame_format: FrameFormat, events: Sequence[Encoded]) -> None:
        self._format = frame_format
        self._events = events
        self._first, self._last = events[0].rev, events[-1].rev
        self._frames: bytes | None = None

    def to(self, some: Iterable[Subscription], late: list[Subscription], gone: list[Subscription]) -> None:
        # What is done here for each subscription is the cost of a delivery beside its system call.
        first, last, noted = self._first, self._last, self._format.acknowledged
        frames = self._frames
        size = 0 if frames is None else len(frames)
        for subscription in some:
            if subscription.closed:
                gone.append(subscription)
                continue
            if subscription.rev < first:
                if frames is None:
                    frames = self._frames = self._format.message_frames(self._events)
                    size = len(frames)
                if noted:
                    written = subscription.deliver(frames, self._events)
                else:
                    send = subscription.outlet.direct
                    try:
                        taken = send(frames)
                    except OSError:
                        taken = 0
                    written = taken == size or self._finish(subscription, frames, taken)
            elif subscription.rev < last:
                missing = [event for event in self._events if event.rev > subscription.rev]
                written = subscription.deliver(self._format.message_frames(missing), missing)
            else:
                continue
            subscription.rev = last
            if not written:
                late.append(subscription)

    def _finish(self, subscription: Subscription, frames: bytes, taken: int) -> bool:
        """See to what the kernel did not take directly. False when some of it waits."""
        if taken:
            subscription.outlet.rest(frames, taken)
        elif subscription.outlet.offer(frames):
            return True
        subscription.queued(self._events)
        return False


@frozen
class Attendance:
    """Who is there: the subscriptions, who types, and what the subscriptions know of who is online and of marks.

    It belongs to the conversation, not to one incarnation of its actor: after a crash the next one finds the same
    subscriptions, each with the `rev` that it has been given, and ends in time the typing that was announced.
    """

    audience: Audience
    typing: Typing
    online: set[UUID] = field(factory=set[UUID])
    marks: dict[UUID, Mark] = field(factory=dict[UUID, Mark])
    """As the last incarnation left them: some may be stored nowhere yet."""
