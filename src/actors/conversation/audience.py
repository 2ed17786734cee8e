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
        first, last = events[0].rev, events[-1].rev
        served = 0
        for frame_format, group in list(self._groups[Topic.MESSAGES].items()):
            frames: bytes | None = None
            for subscription in tuple(group):
                if subscription.closed:
                    gone.append(subscription)
                elif subscription.rev < last:
                    if subscription.rev < first:
                        frames = frame_format.message_frames(events) if frames is None else frames
                        written = subscription.deliver(frames, events)
                    else:
                        missing = [event for event in events if event.rev > subscription.rev]
                        written = subscription.deliver(frame_format.message_frames(missing), missing)
                    subscription.rev = last
                    if not written:
                        late.append(subscription)
                served += 1
                if served % slice_size == 0:
                    await trio.lowlevel.checkpoint()
        return FanOut(late, gone)

    async def announce(self, topic: Topic, body: bytes, slice_size: int) -> None:
        """Offer one event that is never stored to every subscription of `topic`."""
        served = 0
        for frame_format, group in list(self._groups[topic].items()):
            frame = frame_format.notice_frame(body)
            for subscription in tuple(group):
                if not subscription.closed:
                    subscription.deliver(frame, ())
                served += 1
                if served % slice_size == 0:
                    await trio.lowlevel.checkpoint()


@frozen
class Attendance:
    """Who is there: the subscriptions and who types.

    It belongs to the conversation, not to one incarnation of its actor: after a crash the next one finds the same
    subscriptions, each with the `rev` that it has been given, and ends in time the typing that was announced.
    """

    audience: Audience
    typing: Typing
