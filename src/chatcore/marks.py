"""Read and delivered marks of a conversation's members: watermarks that only rise. All marks are `seq` numbers."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from attrs import define, frozen

from chatcore.model import Mark, Participant

_READ: Final = 1
_HERE: Final = 2


@frozen
class Moved:
    """Marks that moved: all of them, and those that moved on this node, of which the others are to be told."""

    all: list[Mark]
    here: list[Mark]


@define
class _Follower:
    subscriptions: int
    since_seq: int


class Marks:
    """The marks of one conversation, what of them is not stored yet, and what is not announced yet.

    Delivery by writing to a socket is kept as one watermark for all who follow live, with the few whose socket did not
    take the bytes at once as exceptions; `settle` turns it into marks of single members.
    """

    __slots__ = ("_announce", "_delivered", "_dirty", "_following", "_lagging", "_read", "_settled", "_watermark")

    def __init__(self, participants: Iterable[Participant]) -> None:
        self._read: dict[UUID, int] = {}
        self._delivered: dict[UUID, int] = {}
        self._following: dict[UUID, _Follower] = {}
        self._lagging: set[UUID] = set()
        self._watermark = 0
        self._settled = 0
        self._dirty: set[UUID] = set()
        self._announce: dict[UUID, int] = {}
        self.merge(participants)

    def merge(self, participants: Iterable[Participant]) -> None:
        """Take the stored members as they are now; marks merge by maximum, who is gone is forgotten.

        A known member's mark that another node has moved is to be announced here too.
        """
        present = {p.user_id: p for p in participants}
        for user_id in self._read.keys() - present.keys():
            del self._read[user_id], self._delivered[user_id]
            self._following.pop(user_id, None)
            self._lagging.discard(user_id)
            self._dirty.discard(user_id)
            self._announce.pop(user_id, None)
        for user_id, p in present.items():
            old_read, old_delivered = self._read.get(user_id), self._delivered.get(user_id)
            read = max(old_read or 0, p.last_read_seq)
            delivered = max(old_delivered or 0, p.last_delivered_seq, p.last_read_seq)
            self._read[user_id], self._delivered[user_id] = read, delivered
            if old_read is not None and (read, delivered) != (old_read, old_delivered):
                self._to_announce(user_id, _READ if read > old_read else 0)

    def heard(self, marks: Iterable[Mark]) -> None:
        """Take what another node tells of members' marks and stores itself; they merge by maximum.

        A mark may be ahead of what this node has heard of the conversation, so nothing is clamped here.
        """
        for user_id, how in self._raise(marks):
            self._to_announce(user_id, how)

    def recall(self, marks: Iterable[Mark]) -> None:
        """Take marks that this node has known before; what the stored ones lack is stored again."""
        for user_id, how in self._raise(marks):
            self._changed(user_id, how)

    def _raise(self, marks: Iterable[Mark]) -> Iterator[tuple[UUID, int]]:
        """Merge by maximum; the members whose marks rise, and `_READ` if that of reading does."""
        for mark in marks:
            user_id = mark.user_id
            old_read = self._read.get(user_id)
            if old_read is None:
                continue
            old_delivered = self._delivered[user_id]
            read, delivered = max(old_read, mark.read_seq), max(old_delivered, mark.delivered_seq, mark.read_seq)
            if (read, delivered) != (old_read, old_delivered):
                self._read[user_id], self._delivered[user_id] = read, delivered
                yield user_id, _READ if read > old_read else 0

    def read(self, user_id: UUID, seq: int, last_seq: int) -> bool:
        """Move the read mark, and with it the delivered one, to `seq` clamped to `last_seq`; false if nothing moved."""
        seq = min(seq, last_seq)
        if user_id not in self._read or seq <= self._read[user_id]:
            return False
        self._read[user_id] = seq
        self._delivered[user_id] = max(self._delivered[user_id], seq)
        self._changed(user_id, _READ)
        return True

    def delivered(self, user_id: UUID, seq: int, last_seq: int) -> bool:
        """Move the delivered mark to `seq` clamped to `last_seq`. False when nothing moved."""
        seq = min(seq, last_seq)
        if user_id not in self._delivered or seq <= self._delivered[user_id]:
            return False
        self._delivered[user_id] = seq
        self._changed(user_id)
        return True

    def sent(self, user_id: UUID, seq: int) -> None:
        """The sender's marks move to his message; the append has stored that already."""
        read = self._read.get(user_id)
        if read is not None and seq > read:
            self._read[user_id] = seq
            if seq > self._delivered[user_id]:
                self._delivered[user_id] = seq
            # The other nodes move it themselves when they hear of the message.
            self._announce[user_id] = self._announce.get(user_id, 0) | _READ

    def follow(self, user_id: UUID, since_seq: int) -> None:
        """One more live subscription of the user: what is written after `since_seq` counts as delivered."""
        if user_id not in self._delivered:
            return
        follower = self._following.get(user_id)
        if follower is None:
            self._following[user_id] = _Follower(1, since_seq)
        else:
            follower.subscriptions += 1

    def unfollow(self, user_id: UUID) -> None:
        follower = self._following.get(user_id)
        if follower is None:
            return
        follower.subscriptions -= 1
        if follower.subscriptions == 0:
            self._settle_one(user_id)
            del self._following[user_id]
            self._lagging.discard(user_id)

    def written(self, seq: int, late: Collection[UUID]) -> None:
        """Everything up to `seq` was handed to all followers; `late` names the user of each subscription whose socket
        did not take it at once (a user once for each such subscription).
        """
        if seq <= self._watermark:
            return
        if late or self._lagging:
            behind = {
                user_id
                for user_id, missed in Counter(late).items()
                if user_id in self._following and missed >= self._following[user_id].subscriptions
            }
            for user_id in behind - self._lagging:
                self._settle_one(user_id)
            self._lagging = behind
        self._watermark = seq

    def settle(self) -> None:
        """Give every follower that is not lagging the watermark as his delivered mark."""
        if self._settled == self._watermark:
            return
        for user_id in self._following:
            self._settle_one(user_id)
        self._settled = self._watermark

    def _settle_one(self, user_id: UUID) -> None:
        reached = self._reached(user_id)
        if reached > self._delivered[user_id]:
            self._delivered[user_id] = reached
            self._changed(user_id)

    def _reached(self, user_id: UUID) -> int:
        follower = self._following.get(user_id)
        if follower is None or user_id in self._lagging or self._watermark <= follower.since_seq:
            return 0
        return self._watermark

    def _changed(self, user_id: UUID, how: int = 0) -> None:
        self._dirty.add(user_id)
        self._to_announce(user_id, how | _HERE)

    def _to_announce(self, user_id: UUID, how: int) -> None:
        self._announce[user_id] = self._announce.get(user_id, 0) | how

    @property
    def is_settled(self) -> bool:
        return self._settled == self._watermark or not self._following

    @property
    def has_unsaved(self) -> bool:
        return bool(self._dirty)

    @property
    def has_unannounced(self) -> bool:
        return bool(self._announce)

    def take_unsaved(self, user_ids: Collection[UUID] | None = None, limit: int | None = None) -> list[Mark]:
        """At most `limit` of the marks that are not stored yet, of `user_ids` or of all; they count as stored now."""
        dirty = self._dirty if user_ids is None else self._dirty.intersection(user_ids)
        taken = [self.of(user_id) for user_id in islice(dirty, limit)]
        self._dirty.difference_update([mark.user_id for mark in taken])
        return taken

    def put_back(self, marks: Iterable[Mark]) -> None:
        """What `take_unsaved` gave could not be stored."""
        self._dirty.update(mark.user_id for mark in marks if mark.user_id in self._read)

    def announce_all(self) -> None:
        """Nobody knows what has been announced: announce the marks of all members again."""
        self._announce = dict.fromkeys(self._read, _READ | _HERE)

    def unannounced(self, *, delivered_too: bool) -> list[UUID]:
        """Whose marks `take_unannounced` would give."""
        return [user_id for user_id, how in self._announce.items() if how & _READ or delivered_too]

    def take_unannounced(self, *, delivered_too: bool) -> Moved:
        """The marks that moved since the last call; without `delivered_too` only where the read mark did."""
        taken = [
            (self.of(user_id), self._announce[user_id]) for user_id in self.unannounced(delivered_too=delivered_too)
        ]
        self._announce.clear()
        return Moved([mark for mark, _ in taken], [mark for mark, how in taken if how & _HERE])

    @property
    def total(self) -> int:
        """The sum of all read and delivered marks, to compare with that of the stored ones."""
        return sum(self._read.values()) + sum(self._delivered.values())

    def of(self, user_id: UUID) -> Mark:
        """The member's marks now; raises `KeyError` for a stranger."""
        return Mark(user_id, self._read[user_id], max(self._delivered[user_id], self._reached(user_id)))

    def all(self) -> dict[UUID, Mark]:
        return {user_id: self.of(user_id) for user_id in self._read}

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._read)

    def __contains__(self, user_id: object) -> bool:
        return user_id in self._read

    def __len__(self) -> int:
        return len(self._read)
