"""Who listens to a conversation, and the fan-out to them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

import trio
from attrs import field, frozen

from actors.conversation.delivery import Delivery, Group
from actors.conversation.subscription import Encoded, FrameFormat, Subscription, Topic
from chatcore.model import Mark
from chatcore.typing import Typing


@frozen
class FanOut:
    """How a delivery went: the subscriptions whose socket did not take the bytes at once, and those found closed."""

    late: Sequence[Subscription]
    gone: Sequence[Subscription]


NOBODY: Final = FanOut((), ())


class Audience:
    """The subscriptions of one conversation on this node, grouped by what their frames share."""

    def __init__(self) -> None:
        self._groups: dict[Topic, dict[FrameFormat, Group]] = {topic: {} for topic in Topic}
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

    def given(self) -> Iterator[tuple[Subscription, int]]:
        """The message subscriptions, each with the `rev` up to which it has been given everything. During a delivery
        that is what it had before.
        """
        for group in self._groups[Topic.MESSAGES].values():
            for subscription in group.members:
                yield subscription, group.given(subscription)

    def add(self, subscription: Subscription) -> None:
        groups = self._groups[subscription.topic]
        group = groups.get(subscription.format)
        if group is None:
            group = groups[subscription.format] = Group()
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
        left = slice_size
        for frame_format, group in list(self._groups[Topic.MESSAGES].items()):
            with Delivery(frame_format, group, events, late, gone) as delivery:
                while served := delivery.serve(left):
                    left -= served
                    if not left:
                        left = slice_size
                        await trio.lowlevel.checkpoint()
        return FanOut(late, gone)

    def deliver_at_once(self, events: Sequence[Encoded], tell: Callable[[], None]) -> FanOut:
        """As `deliver`, to an audience of one slice; `tell` is called when the first frames are ready to go."""
        late: list[Subscription] = []
        gone: list[Subscription] = []
        told = False
        for frame_format, group in self._groups[Topic.MESSAGES].items():
            with Delivery(frame_format, group, events, late, gone) as delivery:
                if not told:
                    delivery.encode()
                    tell()
                    told = True
                delivery.serve(len(group.members))
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
