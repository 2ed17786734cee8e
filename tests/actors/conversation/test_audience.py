from collections.abc import Sequence
from uuid import UUID

import trio

from actors.conversation.audience import Audience
from actors.conversation.subscription import Encoded, Subscription, Topic
from chatcore.model import EventKind
from tests.kit.listening import Listening, PlainFormat

USER = UUID(int=1)


def event(rev: int) -> Encoded:
    body = b'{"text": "%d"}' % rev
    return Encoded(EventKind.CREATED, rev, rev, UUID(int=rev), body)


async def test_each_subscription_gets_what_it_has_not_had_and_all_stand_at_the_end() -> None:
    audience = Audience()
    listening = {rev: Listening(USER, rev=rev, format=PlainFormat(str(rev % 2))) for rev in range(7)}
    for each in listening.values():
        audience.add(each)
    closed = Listening(USER, rev=2, closed=True)
    audience.add(closed)
    slow = Listening(USER, rev=2, slow=True)
    audience.add(slow)
    typing = Listening(USER, topic=Topic.TYPING)
    audience.add(typing)
    fan_out = await audience.deliver([event(rev) for rev in (3, 4, 5)], 2)
    expected = {0: [3, 4, 5], 1: [3, 4, 5], 2: [3, 4, 5], 3: [4, 5], 4: [5], 5: [], 6: []}
    assert {rev: each.revs for rev, each in listening.items()} == expected
    assert {rev: each.rev for rev, each in listening.items()} == {rev: max(5, rev) for rev in listening}
    assert (fan_out.late, fan_out.gone) == ([slow], [closed])
    assert (closed.rev, typing.rev) == (2, -1)


async def test_a_look_during_a_delivery_changes_nothing_of_who_has_been_served() -> None:
    audience = Audience()
    listening = [Listening(USER, rev=2) for _ in range(6)]
    for each in listening:
        audience.add(each)
    await audience.deliver([event(3)], 100)
    seen: list[list[tuple[Subscription, int]]] = []
    with trio.CancelScope() as scope:

        def look() -> None:
            assert list(audience.of_topic(Topic.MESSAGES)) == listening
            seen.append(list(audience.given()))

        listening[2].on_deliver = look
        listening[3].on_deliver = scope.cancel
        await audience.deliver([event(4)], 2)
    assert scope.cancelled_caught
    assert seen == [[(each, 3) for each in listening]]
    served = [4 if each.revs == [3, 4] else 3 for each in listening]
    assert 3 in served
    assert 4 in served
    assert list(audience.given()) == list(zip(listening, served, strict=True))
    await audience.deliver([event(4)], 100)
    assert all(each.revs == [3, 4] for each in listening)
    assert list(audience.given()) == [(each, 4) for each in listening]


async def test_it_counts_each_subscription_once() -> None:
    audience = Audience()
    one, other = Listening(USER), Listening(USER, Topic.READ)
    for each in (one, one, other):
        audience.add(each)
    assert len(audience) == 2
    assert list(audience) == [one, other]
    assert one in audience
    assert audience.discard(one)
    assert not audience.discard(one)
    assert one not in audience
    other.closed = True
    audience.discard_closed()
    assert not audience


async def test_frames_are_made_once_for_all_who_share_them_acknowledged_or_not() -> None:
    made: list[int] = []

    class Counted(PlainFormat):
        def message_frames(self, events: Sequence[Encoded]) -> bytes:
            made.append(len(events))
            return super().message_frames(events)

    class Quiet(Listening):
        def deliver(self, frames: bytes, events: Sequence[Encoded]) -> bool:
            return self.offer(frames)

    audience = Audience()
    listening = [
        Quiet(USER, rev=0, format=Counted(name, acknowledged)) for name, acknowledged in (("a", True), ("b", False)) * 5
    ]
    for each in listening:
        audience.add(each)
    await audience.deliver([event(1), event(2)], 3)
    assert [each.revs for each in listening] == [[1, 2]] * 10
    assert made == [2, 2]
