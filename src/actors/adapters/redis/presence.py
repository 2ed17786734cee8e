"""Who is online, in Redis.

All keys begin with `{presence}`, so that a cluster keeps them together. `node.` and a lease's id lives as long as the
lease; `nodes` is the set of leases that may last; `beat.` and the id has a lease's last beat; `user.` and a user's id
is a hash of the leases he is under and of when he was `seen`. Times are in milliseconds since 1970.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, cast
from uuid import UUID

from actors.presence.ports import Seen
from chatcore.errors import ChatError

RETENTION: Final = 30 * 86_400
"""Seconds after which it is forgotten when somebody was seen."""
_TAG: Final = "{presence}"
_NODES: Final = f"{_TAG}.nodes"
_SEEN: Final = b"seen"

_Command = tuple[str | bytes | int, ...]


class Commands(Protocol):
    """The way to Redis."""

    async def call(self, key: str, commands: Sequence[_Command]) -> Sequence[object]:
        """The answers of the server that has `key`, in order. Raises `ChatError`, and the outcome is unknown then."""
        ...


class RedisPresenceStore:
    """`PresenceStore` in Redis. A lease lasts `lifetime` seconds by Redis's clock."""

    def __init__(self, redis: Commands, lifetime: float) -> None:
        self._redis = redis
        self._lifetime_ms = round(lifetime * 1000)

    async def open(self, lease: UUID, at: datetime) -> None:
        await self._call([("SET", _node(lease), 1, "PX", self._lifetime_ms), _note_beat(lease, at), *_register(lease)])

    async def beat(self, lease: UUID, at: datetime) -> Collection[UUID] | None:
        prolonged, listed = await self._call(
            [("SET", _node(lease), 1, "PX", self._lifetime_ms, "XX"), ("SMEMBERS", _NODES)]
        )
        if prolonged is None:
            return None
        await self._call([_note_beat(lease, at), *_register(lease)])
        lapsed = await self._lapsed(each for each in cast("list[bytes]", listed) if each != lease.bytes)
        if lapsed:
            await self._call([("SREM", _NODES, *lapsed)])
        return {lease, *(UUID(bytes=each) for each in cast("list[bytes]", listed) if each not in lapsed)}

    async def come(self, lease: UUID, user_ids: Collection[UUID], *, instead_of: UUID | None = None) -> None:
        commands: list[_Command] = []
        for user_id in user_ids:
            key = _user(user_id)
            commands += (("HSET", key, lease.bytes, 1), ("EXPIRE", key, RETENTION))
            if instead_of is not None:
                commands.append(("HDEL", key, instead_of.bytes))
        await self._call(commands)

    async def leave(self, lease: UUID, left: Mapping[UUID, datetime]) -> None:
        commands: list[_Command] = []
        for user_id, at in left.items():
            key = _user(user_id)
            commands += (("HDEL", key, lease.bytes), ("HSET", key, _SEEN, _ms(at)), ("EXPIRE", key, RETENTION))
        await self._call(commands)

    async def lookup(self, user_ids: Collection[UUID]) -> dict[UUID, Seen]:
        wanted = list(user_ids)
        answers = await self._call([("HGETALL", _user(user_id)) for user_id in wanted])
        people = {user_id: _fields(answer) for user_id, answer in zip(wanted, answers, strict=True)}
        leases = {each for fields in people.values() for each in fields if each != _SEEN}
        lapsed = await self._lapsed(leases)
        seen: dict[UUID, Seen] = {}
        stale: list[_Command] = []
        for user_id, fields in people.items():
            gone = [each for each in fields if each in lapsed]
            if any(each != _SEEN and each not in lapsed for each in fields):
                seen[user_id] = Seen(online=True, last_seen_at=None)
            else:
                last = max([fields.get(_SEEN, 0), *[lapsed[each] for each in gone]])
                seen[user_id] = Seen(online=False, last_seen_at=_time(last))
                if gone and last:
                    stale.append(("HSET", _user(user_id), _SEEN, last))
            if gone:
                stale.append(("HDEL", _user(user_id), *gone))
        await self._clean(stale)
        return seen

    async def close(self, lease: UUID) -> None:
        await self._call([("DEL", _node(lease)), ("SREM", _NODES, lease.bytes)])

    async def _lapsed(self, leases: Iterable[bytes]) -> dict[bytes, int]:
        """Of `leases` those that last no more, with their last beat; 0 where that is forgotten."""
        asked = [UUID(bytes=each) for each in leases]
        if not asked:
            return {}
        nodes, beats = await self._call([("MGET", *map(_node, asked)), ("MGET", *map(_beat, asked))])
        return {
            lease.bytes: int(beat or b"0")
            for lease, node, beat in zip(asked, _values(nodes), _values(beats), strict=True)
            if node is None
        }

    async def _clean(self, commands: list[_Command]) -> None:
        """A lapsed lease never comes back, so what is left of it may go at any time."""
        try:
            await self._call(commands)
        except ChatError:
            # The answer is known already, and the next who looks cleans.
            return

    async def _call(self, commands: list[_Command]) -> Sequence[object]:
        return await self._redis.call(_TAG, commands) if commands else ()


def _register(lease: UUID) -> list[_Command]:
    return [("SADD", _NODES, lease.bytes), ("EXPIRE", _NODES, RETENTION)]


def _note_beat(lease: UUID, at: datetime) -> _Command:
    return ("SET", _beat(lease), _ms(at), "EX", RETENTION)


def _node(lease: UUID) -> str:
    return f"{_TAG}.node.{lease}"


def _beat(lease: UUID) -> str:
    return f"{_TAG}.beat.{lease}"


def _user(user_id: UUID) -> str:
    return f"{_TAG}.user.{user_id}"


def _values(answer: object) -> list[bytes | None]:
    return cast("list[bytes | None]", answer)


def _fields(answer: object) -> dict[bytes, int]:
    """Of a hash, as RESP2 gives it."""
    flat = cast("list[bytes]", answer)
    return {name: int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _time(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
