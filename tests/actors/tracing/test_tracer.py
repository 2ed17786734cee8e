"""Messages followed through actors over in-memory storage, and from one node to another."""

from collections.abc import Generator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import trio
from trio.testing import MockClock

from actors.bridge.envelope import Traced
from actors.conversation.messages import Post
from actors.runtime.mailbox import Mailbox
from actors.runtime.reply import Reply
from actors.tracing.hops import Hop, Tracing
from actors.tracing.trace import HOPS_KEPT
from actors.tracing.tracer import ASKED_SECONDS, Tracer, Wanted
from chatcore.errors import ErrorCode, forbidden
from chatcore.model import Appended, Event, EventKind, Message, NewMessage

HERE, THERE, ROOM, BOB = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nobody_follows_afterwards() -> Generator[None]:
    yield
    assert (Tracing.by, Mailbox.on_accepted) == (None, None)


def new(room: UUID = ROOM, client: str | None = None) -> NewMessage:
    return NewMessage(uuid4(), room, BOB, "text", client, None)


def heard(message_id: UUID, client: str | None = None) -> Event:
    message = Message(message_id, ROOM, 7, 9, 9, BOB, "Bob", "text", AT, client)
    return Event(EventKind.CREATED, 9, message)


def hops(tracer: Tracer, message_id: UUID) -> None:
    for hop in (Hop.MAILBOX_IN, Hop.MAILBOX_OUT, Hop.FAN_OUT_FIRST, Hop.FAN_OUT_LAST):
        tracer.pass_by([message_id], hop)


async def test_times_count_from_the_first_hop(mock_clock: MockClock) -> None:
    tracer = Tracer(HERE, limit=10)
    follower = tracer.follow(Wanted(ROOM))
    message = new()
    received = trio.current_time()
    mock_clock.jump(0.5)
    tracer.begin(message, received)
    mock_clock.jump(0.25)
    tracer.pass_by([message.id], Hop.STORE_QUEUED, "3 wait")
    [trace] = tracer.take(follower)
    assert [(each.hop, each.after, each.says) for each in trace.legs[0].passed] == [
        (Hop.RECEIVED, 0.0, ""),
        (Hop.PARSED, 0.5, ""),
        (Hop.STORE_QUEUED, 0.75, "3 wait"),
    ]
    assert tracer.take(follower) == []
    tracer.unfollow(follower)


async def test_only_what_is_wanted_is_kept() -> None:
    tracer = Tracer(HERE, limit=10)
    by_room, by_client = tracer.follow(Wanted(ROOM)), tracer.follow(Wanted(message="c-1"))
    here, elsewhere, named = new(), new(uuid4()), new(uuid4(), "c-1")
    by_id = tracer.follow(Wanted(message=str(elsewhere.id)))
    for message in (here, elsewhere, named):
        tracer.begin(message)
    assert [trace.message_id for trace in tracer.take(by_room)] == [here.id]
    assert [trace.message_id for trace in tracer.take(by_client)] == [named.id]
    assert [trace.message_id for trace in tracer.take(by_id)] == [elsewhere.id]
    for each in (by_room, by_client, by_id):
        tracer.unfollow(each)


async def test_no_more_are_begun_than_asked_for_and_the_oldest_goes_for_a_new_one() -> None:
    tracer = Tracer(HERE, limit=2)
    three, one = tracer.follow(Wanted(), 3), tracer.follow(Wanted(), 1)
    sent = [new() for _ in range(5)]
    for message in sent:
        tracer.begin(message)
    assert [trace.message_id for trace in tracer.take(three)] == [each.id for each in sent[1:3]]
    assert tracer.take(one) == []
    assert tracer.dropped == 1
    for each in (three, one):
        tracer.unfollow(each)


async def test_hops_of_one_message_are_bounded() -> None:
    tracer = Tracer(HERE, limit=2)
    follower = tracer.follow(Wanted())
    message = new()
    tracer.begin(message)
    for _ in range(2 * HOPS_KEPT):
        tracer.pass_by([message.id], Hop.BATCH_SENT)
    assert len(tracer.take(follower)[0].legs[0].passed) == HOPS_KEPT
    tracer.unfollow(follower)


async def test_outcomes_are_told() -> None:
    tracer = Tracer(HERE, limit=10)
    follower = tracer.follow(Wanted())
    sent = [new(), new(), new()]
    for message in sent:
        tracer.begin(message)
    tracer.settled(sent, [Appended(sent[0].id, 5, 6, AT, True), Appended(uuid4(), 1, 2, AT, False), forbidden()])
    assert [(each.outcome, each.seq) for each in tracer.take(follower)] == [
        ("committed", 5),
        ("repeated", 1),
        (ErrorCode.FORBIDDEN, None),
    ]
    tracer.unfollow(follower)


async def test_queued_post_is_seen_by_its_mailbox() -> None:
    tracer = Tracer(HERE, limit=10)
    follower = tracer.follow(Wanted())
    message = new()
    tracer.begin(message)
    mailbox = Mailbox[Post]("room", 1)
    mailbox.offer(Post(message, Reply[Appended].discard()))
    [trace] = tracer.take(follower)
    assert trace.legs[0].passed[-1].hop is Hop.MAILBOX_IN
    tracer.unfollow(follower)


class TestAcrossNodes:
    async def test_other_nodes_leg_comes_back_with_the_time_between_publish_and_receipt(self) -> None:
        here, there = Tracer(HERE, limit=10, now=lambda: 1000.0), Tracer(THERE, limit=10, now=lambda: 1000.25)
        sent: list[Traced] = []
        there.report = sent.append
        follower = here.follow(Wanted(ROOM))
        message = new()
        here.begin(message)
        told_at = here.mark([heard(message.id)])
        assert told_at == 1000.0
        there.heard(HERE, ROOM, [heard(message.id)], told_at)
        hops(there, message.id)
        [traced] = sent
        here.reported(THERE, traced)
        [trace] = here.take(follower)
        assert [leg.node for leg in trace.legs] == [HERE, THERE]
        assert trace.legs[1].behind == 0.25
        assert [each.hop for each in trace.legs[1].passed] == [
            Hop.BRIDGE_RECEIVED,
            Hop.MAILBOX_IN,
            Hop.MAILBOX_OUT,
            Hop.FAN_OUT_FIRST,
            Hop.FAN_OUT_LAST,
        ]
        here.unfollow(follower)

    async def test_what_nobody_follows_is_neither_marked_nor_kept(self) -> None:
        here, there = Tracer(HERE, limit=10), Tracer(THERE, limit=10)
        assert here.mark([heard(uuid4())]) is None
        there.heard(HERE, ROOM, [heard(uuid4())], None)
        assert Tracing.by is None

    async def test_follower_elsewhere_sees_what_comes_over_the_bridge(self) -> None:
        there = Tracer(THERE, limit=10)
        follower = there.follow(Wanted(ROOM))
        event = heard(uuid4())
        there.heard(HERE, ROOM, [event], None)
        hops(there, event.message.id)
        [trace] = there.take(follower)
        assert (trace.outcome, trace.seq, trace.rev, trace.sender_id) == ("committed", 7, 9, None)
        assert trace.legs[0].behind is None
        there.unfollow(follower)

    async def test_report_to_another_node_is_not_taken(self) -> None:
        here = Tracer(HERE, limit=10)
        follower = here.follow(Wanted())
        message = new()
        here.begin(message)
        here.take(follower)
        here.reported(THERE, Traced(THERE, message.id, 0.0, 0.0, ()))
        here.reported(THERE, Traced(HERE, uuid4(), 0.0, 0.0, ()))
        assert here.take(follower) == []
        here.unfollow(follower)

    async def test_what_never_arrives_is_given_up(self, mock_clock: MockClock) -> None:
        there = Tracer(THERE, limit=10)
        there.report = lambda _: pytest.fail("it was not delivered")
        event = heard(uuid4())
        there.heard(HERE, ROOM, [event], 0.0)
        assert Tracing.by is there
        mock_clock.jump(ASKED_SECONDS + 1)
        there.pass_by([uuid4()], Hop.FAN_OUT_LAST)
        assert Tracing.by is None


async def test_what_was_looked_at_and_not_told_is_given_again_with_what_came_since() -> None:
    tracer = Tracer(HERE, limit=10)
    follower = tracer.follow(Wanted())
    first, second = new(), new()
    tracer.begin(first)
    lost, _ = tracer.look(follower)
    tracer.begin(second)
    found, follower.seen = tracer.look(follower)
    assert [trace.message_id for trace in lost] == [first.id]
    assert [trace.message_id for trace in found] == [first.id, second.id]
    assert tracer.look(follower)[0] == []
    tracer.unfollow(follower)
