"""What every session on a node shares."""

from collections.abc import Callable
from uuid import UUID

import trio
from attrs import field, frozen

from actors.attachments.desk import AttachmentDesk
from actors.conversation.directory import Conversations
from actors.conversation.subscription import BodyEncoder
from actors.ports import MessageHistory
from actors.presence.ports import PresenceDesk
from actors.users.actor import Users
from chathttp.edge.timer_wheel import Timers
from chathttp.identity.verifier import TokenVerifier
from chathttp.rate import RateLimiter
from chathttp.session.inspection import RunningSession
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.session_state import ConnectionLimits


@frozen
class SessionPolicy:
    """Limits and intervals of one connection; seconds, but for `heartbeat_ms`."""

    stomp: StompLimits
    connection: ConnectionLimits
    max_sends_in_flight: int
    connect_timeout: float
    heartbeat_ms: int
    ping_interval: float
    ping_timeout: float
    ask_timeout: float
    mailbox_timeout: float
    """How long a SEND waits for room in a conversation's mailbox, and its connection with it."""
    replay_limit: int
    replay_page: int


@frozen
class SessionServices:
    """`now` is the wall clock in seconds since 1970, which tokens expire by. `replay_readers` bounds how many replays
    of the node read from the database at once.
    """

    conversations: Conversations
    users: Users
    presence: PresenceDesk
    history: MessageHistory
    attachments: AttachmentDesk
    encoder: BodyEncoder
    verifier: TokenVerifier
    send_limiter: RateLimiter[UUID]
    timers: Timers
    replay_readers: trio.CapacityLimiter
    now: Callable[[], float]
    new_id: Callable[[], UUID]
    policy: SessionPolicy
    running: set[RunningSession] = field(factory=lambda: set[RunningSession]())
    """The sessions themselves."""
