"""Conversations and sockets, as the console shows them."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from heapq import nlargest
from uuid import UUID

from actors.conversation.room import Room
from chatconsole.api.messages import View
from chatconsole.api.parts import Conversation, Conversations, Socket, Sockets
from chatcore.errors import ChatError
from chathttp.edge.outbox import Outbox
from chathttp.management.observer import Observer
from chathttp.management.slices import Budget, Looking
from chathttp.management.sources import Sources
from chathttp.session.inspection import SessionFigures
from chathttp.sockjs.outbox import PendingLines

_STEP = 64


class Names:
    """Users' pseudonyms: the same user has the same one for as long as `secret` lasts."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, user_id: UUID, *, reveal: bool) -> str:
        if reveal:
            return str(user_id)
        return "user-" + blake2b(user_id.bytes, key=self._secret, digest_size=4).hexdigest()


async def conversations(sources: Sources, view: View, names: Names, budget: Budget) -> Conversations:
    """The largest audiences first."""
    rooms = await budget.run(_rooms(sources.rooms(), view.grep))
    listed = nlargest(view.limit, rooms, key=_audience_of)
    try:
        revs = await sources.revs([room.id for room in listed])
    except ChatError:
        revs = {}
    return Conversations(len(rooms), await budget.run(_conversations(listed, revs, view, names)))


def _rooms(rooms: Sequence[Room], grep: str) -> Looking[list[Room]]:
    found: list[Room] = []
    for number, room in enumerate(rooms):
        if not grep or grep in str(room.id):
            found.append(room)
        if number % _STEP == 0:
            yield
    return found


def _audience_of(room: Room) -> int:
    return len(room.audience)


def _conversations(
    rooms: Sequence[Room], revs: Mapping[UUID, int], view: View, names: Names
) -> Looking[list[Conversation]]:
    told: list[Conversation] = []
    for number, room in enumerate(rooms):
        told.append(_conversation(room, revs.get(room.id), view, names))
        if number % _STEP == 0:
            yield
    return told


def _conversation(room: Room, rev: int | None, view: View, names: Names) -> Conversation:
    marks = room.marks.all().values() if not room.is_large else ()
    return Conversation(
        id=str(room.id),
        seq=room.last_seq,
        rev=room.gate.position,
        members=len(room.marks),
        subscribers=len(room.audience),
        typists=[names.of(user_id, reveal=view.reveal) for user_id in room.typists.now_typing],
        read=min((mark.read_seq for mark in marks), default=0),
        delivered=min((mark.delivered_seq for mark in marks), default=0),
        unsaved_marks=room.marks.has_unsaved,
        lag=None if rev is None else max(0, rev - room.gate.position),
    )


class SocketsLook:
    """Those with the fullest outboxes first."""

    def __init__(self, sources: Sources, observer: Observer, view: View, names: Names, now: float) -> None:
        self._sources = sources
        self._observer = observer
        self._view = view
        self._names = names
        self._now = now

    def look(self) -> Looking[Sockets]:
        found: list[tuple[tuple[int, int, int], SessionFigures]] = []
        late: list[str] = []
        for number, session in enumerate(list(self._sources.sessions())):
            figures = session.inspect()
            peer, outlet = figures.transport.peer, figures.transport.outlet
            queued, high_water, dropped = _outbox(outlet)
            identity = f"{peer.host}:{peer.port}"
            if queued:
                late.append(identity)
            if self._view.grep in identity or self._view.grep in self._user(figures):
                found.append(((queued, high_water, dropped), figures))
            if number % _STEP == 0:
                yield
        self._observer.look_at_sockets(late)
        listed = nlargest(self._view.limit, found, key=_figures_of)
        return Sockets(len(found), [self._socket(*each) for each in listed])

    def _user(self, figures: SessionFigures) -> str:
        return "" if figures.user_id is None else self._names.of(figures.user_id, reveal=self._view.reveal)

    def _socket(self, outbox: tuple[int, int, int], figures: SessionFigures) -> Socket:
        transport = figures.transport
        queued, high_water, dropped = outbox
        identity = f"{transport.peer.host}:{transport.peer.port}"
        return Socket(
            id=identity,
            peer=transport.peer.host,
            user=self._user(figures) or None,
            queued=queued,
            high_water=high_water,
            limit=self._sources.outbox_limit,
            dropped=dropped,
            closed=transport.closed,
            subscriptions=figures.subscriptions,
            sends_in_flight=figures.sends_in_flight,
            heartbeat=figures.kept_by,
            silent=round(self._now - transport.last_received, 3),
            allowed=figures.silence_allowed,
            late=self._observer.lateness(identity),
            transport=transport.name,
        )


def _figures_of(each: tuple[tuple[int, int, int], SessionFigures]) -> tuple[int, int, int]:
    return each[0]


def _outbox(outlet: object) -> tuple[int, int, int]:
    if isinstance(outlet, Outbox | PendingLines):
        return outlet.queued_bytes, outlet.high_water, outlet.dropped
    return 0, 0, 0
