"""The HTTP sessions of this node, by the ids that their clients chose."""

from collections.abc import Callable
from typing import Protocol

from chatcore.errors import not_found
from chathttp.edge.transport import HandshakeInfo
from chathttp.sockjs.limits import SockjsLimits
from chathttp.sockjs.session import HttpSession


class OpenSession(Protocol):
    """Runs STOMP on a session, and calls `forget` when nobody need be told of its end any more."""

    def __call__(self, session: HttpSession, handshake: HandshakeInfo, forget: Callable[[], None], /) -> None:
        """Raises `ChatError` (503) when no session may be opened."""
        ...


class SockjsDesk:
    """A session is its opener's: who showed something of his own then (`owner`) has to show it with each request."""

    def __init__(self, limits: SockjsLimits, open_session: OpenSession) -> None:
        self.limits = limits
        self._open_session = open_session
        self._sessions: dict[str, HttpSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, session_id: str, owner: str | None) -> HttpSession | None:
        """None when there is none; raises `NOT_FOUND` when it is somebody else's."""
        session = self._sessions.get(session_id)
        if session is not None and session.owner is not None and session.owner != owner:
            raise not_found("This session")
        return session

    def open(self, session_id: str, name: str, handshake: HandshakeInfo, owner: str | None) -> HttpSession:
        """Raises `ChatError` (503) when none may be opened."""
        session = HttpSession(name, handshake.peer, self.limits, owner=owner)
        self._open_session(session, handshake, lambda: self._forget(session_id))
        self._sessions[session_id] = session
        return session

    def _forget(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
