"""What the REST API stands on."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from actors.attachments.desk import AttachmentDesk
from actors.caching.members import Members
from actors.conversation.messages import ConversationMessage
from actors.features.actor import Features
from actors.ports import ConversationStore, HistoryPages, MessageHistory, Standings, UserDirectory
from actors.presence.ports import PresenceLookup
from actors.privacy.erasure import Erasures
from actors.privacy.export import Exports
from actors.push.ports import Devices
from actors.relation_ports import Relations
from actors.runtime.ref import Ref
from actors.search import MessageSearch
from actors.users.messages import Notify
from chathttp.attachments.transfers import ServedFiles
from chathttp.identity.service import IdentityService
from chathttp.identity.verifier import TokenVerifier
from chathttp.rate import RateLimiter
from chathttp.settings import Settings


class ConversationRefs(Protocol):
    """The way to the conversation actors."""

    def ref(self, key: UUID) -> Ref[ConversationMessage]:
        """The actor, started on demand."""
        ...

    def live(self, key: UUID) -> Ref[ConversationMessage] | None:
        """The actor if it runs."""
        ...


class HealthState(Enum):
    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


@frozen
class Health:
    """Probes that answer at once from what is known; none of them does I/O.

    The node is DOWN when a component of `essential` is DOWN, and DEGRADED when any other is not UP. `ready` is false
    while starting and draining, `alive` when the event loop is stuck.
    """

    components: Mapping[str, Callable[[], HealthState]]
    ready: Callable[[], bool]
    alive: Callable[[], bool]
    essential: frozenset[str] = frozenset({"database"})


@frozen(kw_only=True)
class Services:
    """`now` is the wall clock in seconds since 1970. `send_limiter` is the sockets' too. `tell_users`: on all nodes.

    `served_files` is None where clients put files to and get them from elsewhere: from `storage_origin`.
    """

    settings: Settings
    verifier: TokenVerifier
    identity: IdentityService
    history: MessageHistory
    pages: HistoryPages
    store: ConversationStore
    relations: Relations
    users: UserDirectory
    standings: Standings
    members: Members
    search: MessageSearch
    features: Features
    devices: Devices
    attachments: AttachmentDesk
    conversations: ConversationRefs
    tell_users: Callable[[Notify], None]
    presence: PresenceLookup
    send_limiter: RateLimiter[UUID]
    exports: Exports
    erasures: Erasures
    health: Health
    now: Callable[[], float]
    new_id: Callable[[], UUID]
    served_files: ServedFiles | None = None
    storage_origin: str = ""


MAX_PAGE_SIZE: Final = 200
