"""Marks held against a model that keeps every subscription by itself, and never anything together."""

from datetime import UTC, datetime
from uuid import UUID

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chatcore.marks import Marks
from chatcore.model import Mark, Participant, Role

USERS = [UUID(int=n) for n in range(1, 5)]
ALICE, BOB, CAROL, _ = USERS


def member(user_id: UUID, read: int = 0, delivered: int = 0) -> Participant:
    return Participant(user_id, "", Role.MEMBER, datetime(2024, 1, 1, tzinfo=UTC), read, delivered)


@pytest.mark.contract("marks never move back and are clamped")
def test_reading_implies_delivered_is_clamped_and_never_goes_back() -> None:
    marks = Marks([member(ALICE)])
    assert marks.read(ALICE, 99, 7)
    assert marks.of(ALICE) == Mark(ALICE, 7, 7)
    assert not marks.read(ALICE, 3, 7)
    assert not marks.delivered(ALICE, 7, 7)
    assert marks.of(ALICE) == Mark(ALICE, 7, 7)


def test_a_stranger_has_no_marks() -> None:
    marks = Marks([member(ALICE)])
    assert not marks.read(BOB, 1, 1)
    assert not marks.delivered(BOB, 1, 1)
    marks.sent(BOB, 1)
    marks.follow(BOB, 0)
    marks.unfollow(BOB)
    assert BOB not in marks
    assert len(marks) == 1
    with pytest.raises(KeyError):
        marks.of(BOB)


def test_unsaved_marks_can_be_taken_for_some_users_and_put_back() -> None:
    marks = Marks([member(ALICE), member(BOB)])
    marks.read(ALICE, 1, 3)
    marks.read(BOB, 2, 3)
    taken = marks.take_unsaved([ALICE])
    assert taken == [Mark(ALICE, 1, 1)]
    assert marks.has_unsaved
    marks.put_back(taken)
    assert sorted(marks.take_unsaved(), key=lambda mark: mark.user_id) == [Mark(ALICE, 1, 1), Mark(BOB, 2, 2)]
    assert not marks.has_unsaved


def test_what_could_not_be_stored_of_one_who_left_is_forgotten() -> None:
    marks = Marks([member(ALICE)])
    marks.read(ALICE, 1, 3)
    taken = marks.take_unsaved()
    marks.merge([])
    marks.put_back(taken)
    assert not marks.has_unsaved


def test_a_large_room_announces_only_who_read() -> None:
    marks = Marks([member(ALICE), member(BOB), member(CAROL)])
    marks.delivered(ALICE, 1, 3)
    marks.read(BOB, 1, 3)
    marks.delivered(BOB, 2, 3)
    assert [mark.user_id for mark in marks.take_unannounced(delivered_too=False).all] == [BOB]
    assert not marks.has_unannounced


def test_a_mark_that_another_node_moved_is_announced_but_not_stored_again() -> None:
    marks = Marks([member(ALICE)])
    assert not marks.has_unannounced
    marks.merge([member(ALICE, read=2)])
    assert marks.take_unannounced(delivered_too=False).all == [Mark(ALICE, 2, 2)]
    marks.merge([member(ALICE, read=2, delivered=3)])
    assert marks.take_unannounced(delivered_too=True).all == [Mark(ALICE, 2, 3)]
    marks.merge([member(ALICE, read=1)])
    assert not marks.has_unannounced
    assert not marks.has_unsaved


def test_only_what_moved_here_is_for_the_others_to_know() -> None:
    marks = Marks([member(ALICE), member(BOB), member(CAROL)])
    marks.heard([Mark(ALICE, 2, 1)])
    marks.sent(CAROL, 3)
    marks.read(BOB, 1, 3)
    moved = marks.take_unannounced(delivered_too=True)
    assert {mark.user_id for mark in moved.all} == {ALICE, BOB, CAROL}
    assert moved.here == [Mark(BOB, 1, 1)]
    assert [mark.user_id for mark in marks.take_unsaved()] == [BOB]
    assert marks.total == 4 + 2 + 6


def test_all_can_be_announced_again() -> None:
    marks = Marks([member(ALICE), member(BOB, read=1)])
    marks.announce_all()
    assert set(marks.take_unannounced(delivered_too=False).all) == {Mark(ALICE, 0, 0), Mark(BOB, 1, 1)}


@attrs.define(eq=False)
class _Subscription:
    user_id: UUID
    taken: int = 0
    """The highest seq that its socket took, with all before it."""


class MarksMachine(RuleBasedStateMachine):
    """`database` is what is stored, `seen` what somebody who hears every announcement knows."""

    def __init__(self) -> None:
        super().__init__()
        self.last_seq = 0
        self.database = {user_id: Mark(user_id, 0, 0) for user_id in USERS}
        self.expected = dict(self.database)
        self.subscriptions: list[_Subscription] = []
        self.floor: dict[UUID, Mark] = {}

    @initialize()
    def start(self) -> None:
        self.marks = Marks(self._stored())
        self.seen = self.marks.all()

    def _stored(self) -> list[Participant]:
        return [member(each.user_id, each.read_seq, each.delivered_seq) for each in self.database.values()]

    def _raise(self, marks: dict[UUID, Mark], user_id: UUID, read: int, delivered: int) -> None:
        if user_id in marks:
            old = marks[user_id]
            read = max(old.read_seq, read)
            marks[user_id] = Mark(user_id, read, max(old.delivered_seq, delivered, read))

    @rule(user_id=st.sampled_from(USERS), seq=st.integers(0, 30))
    def read(self, user_id: UUID, seq: int) -> None:
        before = self.expected.get(user_id)
        self._raise(self.expected, user_id, min(seq, self.last_seq), 0)
        moved = before is not None and self.expected[user_id].read_seq > before.read_seq
        assert self.marks.read(user_id, seq, self.last_seq) == moved

    @rule(user_id=st.sampled_from(USERS), seq=st.integers(0, 30))
    def delivered(self, user_id: UUID, seq: int) -> None:
        self._raise(self.expected, user_id, 0, min(seq, self.last_seq))
        self.marks.delivered(user_id, seq, self.last_seq)

    @rule(
        sender_id=st.sampled_from(USERS),
        count=st.integers(1, 3),
        late=st.sets(st.integers(0, 9)),
        told_again=st.booleans(),
    )
    def send(self, sender_id: UUID, count: int, late: set[int], told_again: bool) -> None:
        """The append stores the sender's marks; then the batch is written to all who follow."""
        self.last_seq += count
        if sender_id in self.database:
            self._raise(self.database, sender_id, self.last_seq, 0)
            self._raise(self.expected, sender_id, self.last_seq, 0)
            self.marks.sent(sender_id, self.last_seq)
        slow = [each for index, each in enumerate(self.subscriptions) if index in late]
        for subscription in self.subscriptions:
            if subscription not in slow:
                subscription.taken = self.last_seq
                self._raise(self.expected, subscription.user_id, 0, self.last_seq)
        self.marks.written(self.last_seq, [each.user_id for each in slow])
        if told_again:
            self.marks.written(self.last_seq, [])

    @rule(user_id=st.sampled_from(USERS))
    def follow(self, user_id: UUID) -> None:
        self.marks.follow(user_id, self.last_seq)
        if user_id in self.expected:
            self.subscriptions.append(_Subscription(user_id))

    @rule(index=st.integers(0, 9))
    def unfollow(self, index: int) -> None:
        if index < len(self.subscriptions):
            self.marks.unfollow(self.subscriptions.pop(index).user_id)

    @rule()
    def settle(self) -> None:
        self.marks.settle()
        assert self.marks.is_settled

    @rule(works=st.booleans())
    def save(self, works: bool) -> None:
        taken = self.marks.take_unsaved()
        if works:
            for mark in taken:
                self._raise(self.database, mark.user_id, mark.read_seq, mark.delivered_seq)
        else:
            self.marks.put_back(taken)

    @rule()
    def announce(self) -> None:
        self._hear(self.marks.take_unannounced(delivered_too=True).all)

    def _hear(self, announced: list[Mark]) -> None:
        for mark in announced:
            known = self.seen.get(mark.user_id)
            assert known is None or (mark.read_seq >= known.read_seq and mark.delivered_seq >= known.delivered_seq)
            self.seen[mark.user_id] = mark

    @rule(user_id=st.sampled_from(USERS), read=st.integers(0, 30), delivered=st.integers(0, 30))
    def another_node_marks(self, user_id: UUID, read: int, delivered: int) -> None:
        self._raise(self.database, user_id, min(read, self.last_seq), min(delivered, self.last_seq))
        self._merge()

    @rule(user_id=st.sampled_from(USERS), read=st.integers(0, 30), delivered=st.integers(0, 30))
    def another_node_tells(self, user_id: UUID, read: int, delivered: int) -> None:
        """It stores them itself; they may be of messages that this node has not heard of."""
        self._raise(self.database, user_id, read, delivered)
        self._raise(self.expected, user_id, read, delivered)
        self.marks.heard([Mark(user_id, read, delivered)])

    @rule(user_id=st.sampled_from(USERS), read=st.integers(0, 30), delivered=st.integers(0, 30))
    def a_former_incarnation_knew(self, user_id: UUID, read: int, delivered: int) -> None:
        self._raise(self.expected, user_id, read, delivered)
        self.marks.recall([Mark(user_id, read, delivered)])

    @rule(user_id=st.sampled_from(USERS))
    def leave_or_join(self, user_id: UUID) -> None:
        if user_id in self.database:
            del self.database[user_id], self.expected[user_id]
            self.floor.pop(user_id, None)
            self.seen.pop(user_id, None)
            self.subscriptions = [each for each in self.subscriptions if each.user_id != user_id]
        else:
            self.database[user_id] = self.expected[user_id] = Mark(user_id, self.last_seq, self.last_seq)
            self.seen[user_id] = self.database[user_id]
        self._merge()

    def _merge(self) -> None:
        self.marks.merge(self._stored())
        for mark in self.database.values():
            self._raise(self.expected, mark.user_id, mark.read_seq, mark.delivered_seq)

    @invariant()
    def every_mark_is_the_models_and_none_falls(self) -> None:
        now = self.marks.all()
        assert now == self.expected
        for user_id, mark in now.items():
            floor = self.floor.get(user_id, mark)
            assert mark.read_seq >= floor.read_seq
            assert mark.delivered_seq >= floor.delivered_seq
            assert mark.delivered_seq >= mark.read_seq
        self.floor = now

    def teardown(self) -> None:
        """In the end all is stored and all has been announced."""
        if not hasattr(self, "marks"):
            return
        self.marks.settle()
        self._hear(self.marks.take_unannounced(delivered_too=True).all)
        self.save(works=True)
        assert self.database == self.expected
        assert self.seen == self.expected


MarksMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_marks_agree_with_the_model = MarksMachine.TestCase
