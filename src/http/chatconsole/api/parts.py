"""The parts of a node: its supervisors, actors, conversations, sockets, store and bridge."""

import msgspec

from .tasks import Place


class Failure(msgspec.Struct, rename="camel", frozen=True):
    """An exception. `where` is the innermost line of the program's own code; a group has its members in `inner`."""

    type: str
    message: str
    where: Place | None
    stack: list[Place]
    inner: "list[Failure]"
    cause: "Failure | None"


class Supervised(msgspec.Struct, rename="camel", frozen=True):
    """A child, a supervisor or an actor, as a row of the supervision tree.

    `restarts` counts all; a supervisor bears `max_restarts` in `within` seconds and would bear `intensity_left` now.
    `live` is how many actors a dynamic supervisor has.
    """

    depth: int
    name: str
    role: str
    state: str
    restarts: int
    strategy: str | None = None
    intensity_left: int | None = None
    max_restarts: int | None = None
    within: float | None = None
    live: int | None = None
    last_error: Failure | None = None


class Actor(msgspec.Struct, rename="camel", frozen=True):
    """An actor and its mailbox.

    `oldest_age` is how long the oldest message has waited, `busy_for` how long it is at what it took. `full` names what
    happens when the mailbox is full; `refused` counts what was. `rate` (messages a second), `p50` and `p99` (seconds
    spent on what it took at a time) are of the time since somebody watches, None before.
    """

    name: str
    state: str
    depth: int
    capacity: int
    oldest_age: float
    busy_for: float | None
    handled: int
    refused: int
    dropped: int
    full: str
    restarts: int
    rate: float | None
    p50: float | None
    p99: float | None
    last_error: Failure | None


class Actors(msgspec.Struct, rename="camel", frozen=True):
    """Those that are most behind first. `total` counts those too that are not listed."""

    total: int
    listed: list[Actor]


class Conversation(msgspec.Struct, rename="camel", frozen=True):
    """A conversation in use. `read` and `delivered` are the lowest marks of its members.

    `lag` is by how many revisions it is behind the database, None when that was not to be had.
    """

    id: str
    seq: int
    rev: int
    members: int
    subscribers: int
    typists: list[str]
    read: int
    delivered: int
    unsaved_marks: bool
    lag: int | None


class Conversations(msgspec.Struct, rename="camel", frozen=True):
    total: int
    listed: list[Conversation]


class Socket(msgspec.Struct, rename="camel", frozen=True):
    """A WebSocket, or what stands in for one: `transport` says which.

    `user` is a pseudonym that holds as long as the process, unless the real id was asked for.

    `queued` of at most `limit` bytes wait in its outbox, `high_water` is the most that have; `dropped` counts frames.
    Nothing has come from it for `silent` of the `allowed` seconds before it is closed; `heartbeat` is what was agreed
    to keep it alive. In `late` looks in a row, about a second apart, its outbox was not empty.
    """

    id: str
    peer: str
    user: str | None
    queued: int
    high_water: int
    limit: int
    dropped: int
    closed: bool
    subscriptions: int
    sends_in_flight: int
    heartbeat: str
    silent: float
    allowed: float | None
    late: int
    transport: str


class Sockets(msgspec.Struct, rename="camel", frozen=True):
    total: int
    listed: list[Socket]


class Backend(msgspec.Struct, rename="camel", frozen=True):
    """What the node stands on: `store` (queries), `appends` (the connection that writes messages), `bridge`.

    `figures` are its own counts and sizes, by name: `waiting`, `overloads` and `reconnects` of each that has them;
    `batches` and `messages` of appends; `outbox`, `outboxBytes`, `inbox`, `published`, `droppedOut` and others of the
    bridge. `round_trip` is of the last exchange, seconds.
    """

    name: str
    status: str
    since: float
    error: str | None
    round_trip: float | None
    figures: dict[str, float]
