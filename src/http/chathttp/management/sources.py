"""What of a node is looked at: given by the wiring, called in the node's loop."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from uuid import UUID

from attrs import frozen

from actors.conversation.room import Room
from actors.runtime.snapshot import ActorSnapshot, DynamicSnapshot, SupervisorSnapshot
from actors.tracing.tracer import Tracer
from chatconsole.api.parts import Backend
from chathttp.management.slices import Looking
from chathttp.session.inspection import Inspectable


@frozen(kw_only=True)
class Actors:
    """`singles` are the actors that have no supervisor of actors above them: what they do when their mailbox is full,
    and how many messages they dropped. `restart` and `passivate`, with the seconds it may take, are of conversations.
    """

    dynamic: Callable[[int], Looking[DynamicSnapshot]]
    singles: Callable[[], Sequence[tuple[ActorSnapshot, str, int]]]
    restart: Callable[[UUID], None]
    passivate: Callable[[UUID, float], Awaitable[None]]


@frozen(kw_only=True)
class Sources:
    """`revs` reads from the database, and may raise `ChatError`. `outbox_limit` is in bytes."""

    supervision: Callable[[], SupervisorSnapshot]
    actors: Actors
    rooms: Callable[[], Sequence[Room]]
    revs: Callable[[Collection[UUID]], Awaitable[dict[UUID, int]]]
    sessions: Callable[[], Collection[Inspectable]]
    backends: Callable[[], Awaitable[Sequence[Backend]]]
    outbox_limit: int
    tracer: Tracer
