"""What a node says of itself: its URL, the headers of what the edge answers, and what becomes of its parts."""

import structlog

from actors.runtime.events import EventKind, SupervisorEvent
from chathttp.edge.refusal import Headers, standard_headers
from chathttp.edge.transport import Peer
from chathttp.rest.proxy import HSTS, is_forwarded_https
from chathttp.settings import Settings

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.node")


def response_headers(settings: Settings, request: Headers, peer: Peer) -> Headers:
    """Of what the edge answers itself."""
    headers = standard_headers(request, peer)
    forwarded = next((value for name, value in request if name == b"x-forwarded-proto"), b"").decode("latin-1")
    if is_forwarded_https(peer.host, forwarded, settings.trusted_proxies):
        return [*headers, (b"strict-transport-security", HSTS.encode())]
    return headers


def url_of(host: str, port: int) -> str:
    """Where a node that listens on `host` is reached from this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  # what it listens on, not a choice
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def report(event: SupervisorEvent) -> None:
    """Log what a supervisor reports."""
    details = {"supervisor": event.supervisor, "child": event.child, "delay": event.delay}
    match event.kind:
        case EventKind.CRASHED | EventKind.ESCALATED | EventKind.QUARANTINED:
            _log.error(event.kind.value, **details, exc_info=event.error)
        case EventKind.OVERDUE | EventKind.RESTARTING:
            _log.warning(event.kind.value, **details)
        case EventKind.STARTED | EventKind.RETURNED | EventKind.STOPPED:
            _log.debug(event.kind.value, **details)
