"""Who listens to a conversation, and the fan-out to them."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import trio

from actors.conversation.subscription import Encoded, FrameFormat, Subscription, Topic


class Audience:
    """The subscriptions of one conversation on this node, grouped by what their frames share.

    It belongs to the conversation, not to one incarnation of its actor: after a crash the next one finds the same
    subscriptions, each with the `rev` that it has been given.
    """

    def __init__(self) -> None:
        self._groups: dict[Topic, dict[FrameFormat, dict[Subscription, None]]] = {topic: {} for topic in Topic}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Subscription]:
        for groups in self._groups.values():
            for group in groups.values():
                yield from group

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

    async def deliver(self, events: Sequence[Encoded], slice_size: int) -> list[UUID]:
        """Offer `events` (by `rev`) to every message subscription that has not had them, each moved to the last `rev`.

        A checkpoint comes after every `slice_size` subscriptions, so that a large room does not hold the event loop.
        Returns the user of each subscription that counts as delivered when written and whose socket did not take the
        bytes at once.
        """
        late: list[UUID] = []
        first, last = events[0].rev, events[-1].rev
        served = 0
        for frame_format, group in list(self._groups[Topic.MESSAGES].items()):
            frames = frame_format.message_frames(events)
            for subscription in tuple(group):
                if subscription.closed or subscription.rev >= last:
                    continue
                if subscription.rev < first:
                    written = subscription.deliver(frames, events)
                else:
                    missing = [event for event in events if event.rev > subscription.rev]
                    written = subscription.deliver(frame_format.message_frames(missing), missing)
                subscription.rev = last
                if not written and subscription.counts_as_delivered:
                    late.append(subscription.user_id)
                served += 1
                if served % slice_size == 0:
                    await trio.lowlevel.checkpoint()
        return late

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
