"""In-memory twins of the storage ports, for tests."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from actors.adapters.memory.claims import MemoryClaims
from actors.adapters.memory.conversations import MemoryConversationStore
from actors.adapters.memory.erasure import MemoryErasures
from actors.adapters.memory.export import AuditTrail, MemoryExport
from actors.adapters.memory.faults import Faults
from actors.adapters.memory.groups import MemoryGroupStore
from actors.adapters.memory.messages import MemoryMessageHistory, MemoryMessageLog
from actors.adapters.memory.relations import MemoryRelations
from actors.adapters.memory.retention import MemoryRetention
from actors.adapters.memory.search import MemoryMessageSearch
from actors.adapters.memory.standings import MemoryStandings
from actors.adapters.memory.state import ChatState, Room
from actors.adapters.memory.users import MemoryUserDirectory

__all__ = [
    "ChatState",
    "Faults",
    "MemoryChat",
    "MemoryConversationStore",
    "MemoryGroupStore",
    "MemoryMessageHistory",
    "MemoryMessageLog",
    "MemoryMessageSearch",
    "MemoryRelations",
    "MemoryStandings",
    "MemoryUserDirectory",
    "Room",
]


class MemoryChat:
    """The ports over one state. Several of them may share a `state`, as nodes share a database."""

    def __init__(self, now: Callable[[], datetime] | None = None, state: ChatState | None = None) -> None:
        self.state = state or ChatState(now)
        trail = AuditTrail()
        self.log = MemoryMessageLog(self.state)
        self.history = MemoryMessageHistory(self.state)
        self.conversations = MemoryConversationStore(self.state)
        self.users = MemoryUserDirectory(self.state)
        self.standings = MemoryStandings(self.state)
        self.groups = MemoryGroupStore(self.state)
        self.relations = MemoryRelations(self.state)
        self.search = MemoryMessageSearch(self.state)
        self.claims = MemoryClaims(self.state)
        self.retention = MemoryRetention(self.state)
        self.export = MemoryExport(self.state, self.relations, trail)
        self.erasures = MemoryErasures(self.state, trail, self._forget_account)
        self.on_erased: list[Callable[[UUID], None]] = []
        """Called with who is erased, to end his account."""

    @property
    def faults(self) -> Faults:
        return self.state.faults

    def _forget_account(self, user_id: UUID) -> None:
        for forget in self.on_erased:
            forget(user_id)
