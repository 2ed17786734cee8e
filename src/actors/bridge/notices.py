"""One notification for many users in one publish, which all nodes hear: each finds its own users in it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import Final
from uuid import UUID

from attrs import frozen

from actors.users.messages import Notify

_ID_BYTES: Final = 16


@frozen
class Notices:
    """A `Notify`. All bodies begin with `head`; of each, `rests` has the rest of it, and the ids of its users in a row.

    So what differs, as an unread count does, costs few bytes, and a user 16.
    """

    conversation_id: UUID
    head: bytes
    rests: tuple[tuple[bytes, bytes], ...]
    seq: int | None = None
    mention: bool = False


def fold(notify: Notify, most: int) -> Iterator[Notices]:
    """`notify` for at most so many users each."""
    left = iter(notify.bodies)
    while some := list(islice(left, most)):
        users: dict[bytes, list[bytes]] = {}
        for user_id, body in some:
            users.setdefault(body, []).append(user_id.bytes)
        head = _common_head(users)
        rests = tuple((body[len(head) :], b"".join(ids)) for body, ids in users.items())
        yield Notices(notify.conversation_id, head, rests, notify.seq, notify.mention)


def unfold(notices: Notices, users: Mapping[bytes, UUID]) -> Notify | None:
    """For those of `users`, by the bytes of their ids; None when none of them is meant."""
    bodies = [(users[each], notices.head + rest) for rest, ids in notices.rests for each in _ids(ids) if each in users]
    return Notify(notices.conversation_id, tuple(bodies), notices.seq, notices.mention) if bodies else None


def _common_head(bodies: Collection[bytes]) -> bytes:
    low, high = min(bodies), max(bodies)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return low[: sum(1 for _ in alike)]


def _ids(joined: bytes) -> Iterable[bytes]:
    return [joined[start : start + _ID_BYTES] for start in range(0, len(joined), _ID_BYTES)]
