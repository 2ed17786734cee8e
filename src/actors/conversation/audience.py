"""Who listens to a conversation, and the fan-out to them."""

from collections.abc import Iterator, Sequence

import trio
from attrs import frozen

from actors.conversation.subscription import Encoded, FrameFormat, Subscription, Topic
from chatcore.typing import Typing


@frozen
class FanOut:
    """How a delivery went: the subscriptions whose socket did not take the bytes at once, and those found closed."""

    late: Sequence[Subscription]
    gone: Sequence[Subscription]


class Audience:
    """The subscriptions of one conversation on this node, grouped by what their frames share."""

    def __init__(self) -> None:
        self._groups: dict[Topic, dict[FrameFormat, dict[Subscription, None]]] = {topic: {} for topic in Topic}
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
            yield from group

    def add(self, subscription: Subscription) -> None:
        group = self._groups[subscription.topic].setdefault(subscription.format, {})
        if subscription not in group:
            group[subscription] = None
            self._size += 1

    def discard(self, subscription: Subscription) -> bool:
        """True when it was there."""
        groups = self._groups[subscription.topic]
        group = groups.get(subscription.format)
        if group is None or subscription not in group:
            return False
        del group[subscription]
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
        served = 0
        for frame_format, group in list(self._groups[Topic.MESSAGES].items()):
            offering = _Offering(frame_format, events)
            for some in _slices(tuple(group), slice_size):
                offering.to(some, late, gone)
                served += len(some)
                if served >= slice_size:
                    served = 0
                    await trio.lowlevel.checkpoint()
        return FanOut(late, gone)

    async def announce(self, topic: Topic, body: bytes, slice_size: int) -> None:
        """Offer one event that is never stored to every subscription of `topic`."""
        served = 0
        for frame_format, group in list(self._groups[topic].items()):
            frame = frame_format.notice_frame(body)
            for some in _slices(tuple(group), slice_size):
                for subscription in some:
                    if not subscription.closed:
                        subscription.write(frame)
                served += len(some)
                if served >= slice_size:
                    served = 0
                    await trio.lowlevel.checkpoint()


class _Offering:
    """Events on their way to the subscriptions of one format: those that have had none of them share the bytes."""

    __slots__ = ("_events", "_first", "_format", "_frames", "_last")

    def __init__(self, frame_format: FrameFormat, events: Sequence[Encoded]) -> None:
        self._format = frame_format
        self._events = events
        self._first, self._last = events[0].rev, events[-1].rev
        self._frames: bytes | None = None

    def to(self, some: Sequence[Subscription], late: list[Subscription], gone: list[Subscription]) -> None:
        """Without a checkpoint."""
        # What this loop does is what a delivery costs beside its system call: hence locals, and one call each.
        first, last, noted = self._first, self._last, self._format.acknowledged
        frames = self._frames
        for subscription in some:
            if subscription.closed:
                gone.append(subscription)
            elif subscription.rev < first and not noted:
                if frames is None:
                    frames = self._frames = self._format.message_frames(self._events)
                written = subscription.write(frames)
                subscription.rev = last
                if not written:
                    subscription.queued(self._events)
                    late.append(subscription)
            elif subscription.rev < last:
                missing = [event for event in self._events if event.rev > subscription.rev]
                written = subscription.deliver(self._format.message_frames(missing), missing)
                subscription.rev = last
                if not written:
                    late.append(subscription)


def _slices(members: Sequence[Subscription], size: int) -> Iterator[Sequence[Subscription]]:
    return (members[start : start + size] for start in range(0, len(members), size))


@frozen
class Attendance:
    """Who is there: the subscriptions and who types.

    It belongs to the conversation, not to one incarnation of its actor: after a crash the next one finds the same
    subscriptions, each with the `rev` that it has been given, and ends in time the typing that was announced.
    """

    audience: Audience
    typing: Typing
