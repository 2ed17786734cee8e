"""How events come to the subscriptions that share their frames."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import length_hint
from typing import Self, cast

from actors.conversation.subscription import Encoded, FrameFormat, Outlet, Subscription


class Group:
    """The subscriptions of one topic whose frames are the same bytes.

    They are in step when all have been given everything up to one `rev`, as they nearly always are. That `rev` is then
    kept here and not by each, and what is delivered goes to their outlets without a look at the subscriptions.
    """

    __slots__ = ("_members", "_outlets", "_rev", "_snapshot")

    def __init__(self) -> None:
        self._members: dict[Subscription, None] = {}
        self._snapshot: tuple[Subscription, ...] | None = None
        self._outlets: tuple[Outlet, ...] | None = None
        self._rev: int | None = None
        """What all have been given when they are in step, else None."""

    def __contains__(self, subscription: Subscription) -> bool:
        return subscription in self._members

    def __bool__(self) -> bool:
        return bool(self._members)

    def add(self, subscription: Subscription) -> None:
        if subscription.rev != self._rev:
            self.part()
        self._members[subscription] = None
        self._snapshot = self._outlets = None
        subscription.place = self

    def discard(self, subscription: Subscription) -> None:
        if self._rev is not None:
            subscription.rev = self._rev
        del self._members[subscription]
        self._snapshot = self._outlets = None
        subscription.place = None

    def someone_closed(self) -> None:
        self._outlets = None

    def outlets_before(self, rev: int) -> tuple[Outlet, ...] | None:
        """Those of all members, if they are open, in step, and have not been given `rev`. They hold as long as
        `still` says so.
        """
        if self._rev is None or self._rev >= rev:
            return None
        if self._outlets is None and not any(member.closed for member in self.members):
            self._outlets = tuple(member.outlet for member in self.members)
        return self._outlets

    def still(self, outlets: tuple[Outlet, ...]) -> bool:
        return self._outlets is outlets

    def given(self, member: Subscription) -> int:
        """The `rev` up to which a member has been given everything."""
        return member.rev if self._rev is None else self._rev

    def move(self, rev: int) -> None:
        """All have been given everything up to `rev`."""
        self._rev = rev

    def part(self, served: int = 0, rev: int = 0) -> None:
        """Each member keeps its own `rev` from now on; the first `served` of them have been given `rev`."""
        if self._rev is not None:
            for place, member in enumerate(self.members):
                member.rev = rev if place < served else self._rev
            self._rev = None

    def meet(self, rev: int) -> None:
        """They are in step if each has been given `rev` and nothing more."""
        if all(member.rev == rev for member in self.members):
            self._rev = rev

    @property
    def members(self) -> tuple[Subscription, ...]:
        """As they are now; made anew only after a change, for a copy costs a large room as much as a few sends."""
        if self._snapshot is None:
            self._snapshot = tuple(self._members)
        return self._snapshot


class Delivery:
    """Events on their way to one group, while the block lasts; whatever ends it, each subscription's `rev` is right.

    `late` and `gone` are added to: who did not take the bytes at once, and who was found closed. What a socket does
    with the bytes closes no other subscription before `serve` returns.
    """

    __slots__ = ("_events", "_first", "_format", "_frames", "_gone", "_group", "_last", "_late", "_left", "_outlets")

    def __init__(
        self,
        frame_format: FrameFormat,
        group: Group,
        events: Sequence[Encoded],
        late: list[Subscription],
        gone: list[Subscription],
    ) -> None:
        self._format = frame_format
        self._group = group
        self._events = events
        self._first, self._last = events[0].rev, events[-1].rev
        self._late = late
        self._gone = gone
        self._frames: bytes | None = None
        """Of all events, for those that have had none of them."""
        self._outlets: tuple[Outlet, ...] | None = None
        """While all that have been served were in step."""
        self._left: Iterator[Outlet] | Iterator[Subscription] = iter(())

    def __enter__(self) -> Self:
        # A delivery that is acknowledged has to be noted with its subscription.
        if not self._format.acknowledged:
            self._outlets = self._group.outlets_before(self._first)
        if self._outlets is None:
            self._group.part()
            self._left = iter(self._group.members)
        else:
            self._left = iter(self._outlets)
        return self

    def __exit__(self, *_: object) -> None:
        if self._outlets is None:
            self._group.meet(self._last)
        elif length_hint(self._left):
            self._part()
        else:
            self._group.move(self._last)

    def encode(self) -> None:
        """Make the frames ready for those that are in step."""
        if self._outlets is not None:
            self._shared()

    def serve(self, limit: int) -> int:
        """Serve at most so many of those that are left; how many there were."""
        before = length_hint(self._left)
        if not before:
            return 0
        if self._outlets is not None and not self._group.still(self._outlets):
            self._part()
        if self._outlets is None:
            self._each(islice(cast("Iterator[Subscription]", self._left), limit))
        else:
            try:
                self._all(islice(cast("Iterator[Outlet]", self._left), limit))
            except BaseException:
                self._part(failed=1)
                raise
        return before - length_hint(self._left)

    def _part(self, failed: int = 0) -> None:
        """Go on one by one; the last `failed` of those that were tried have got nothing."""
        members = self._group.members
        served = len(members) - length_hint(self._left) - failed
        self._group.part(served, self._last)
        self._outlets = None
        self._left = iter(members[served + failed :])

    def _all(self, outlets: Iterable[Outlet]) -> None:
        # What is done here for each subscription is the cost of a delivery beside its system call.
        frames = self._shared()
        size = len(frames)
        for outlet in outlets:
            try:
                taken = outlet.direct(frames)
            except OSError:
                taken = 0
            if taken != size:
                members = self._group.members
                subscription = members[len(members) - length_hint(self._left) - 1]
                if not self._finish(subscription, frames, taken):
                    self._late.append(subscription)

    def _each(self, some: Iterable[Subscription]) -> None:
        first, last, noted = self._first, self._last, self._format.acknowledged
        for subscription in some:
            if subscription.closed:
                self._gone.append(subscription)
                continue
            if subscription.rev < first:
                frames = self._shared()
                if noted:
                    written = subscription.deliver(frames, self._events)
                else:
                    try:
                        taken = subscription.outlet.direct(frames)
                    except OSError:
                        taken = 0
                    written = taken == len(frames) or self._finish(subscription, frames, taken)
            elif subscription.rev < last:
                missing = [event for event in self._events if event.rev > subscription.rev]
                written = subscription.deliver(self._format.message_frames(missing), missing)
            else:
                continue
            subscription.rev = last
            if not written:
                self._late.append(subscription)

    def _shared(self) -> bytes:
        if self._frames is None:
            self._frames = self._format.message_frames(self._events)
        return self._frames

    def _finish(self, subscription: Subscription, frames: bytes, taken: int) -> bool:
        """See to what the kernel did not take directly. False when some of it waits."""
        if taken:
            subscription.outlet.rest(frames, taken)
        elif subscription.outlet.offer(frames):
            return True
        subscription.queued(self._events)
        return False
