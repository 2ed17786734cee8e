"""SockJS's endpoints under `/ws`: what `sockjs-client` falls back to where WebSockets are blocked."""

import re
import secrets
from collections.abc import Collection
from typing import Final, cast

import msgspec
from quart import Blueprint, Response, request

from chatcore.errors import ChatError, ErrorCode, not_found
from chathttp.edge.handshake import HandshakeRefused, check_origin
from chathttp.edge.hypercorn_seam import CONNECTION
from chathttp.edge.prefixed import PrefixedStream
from chathttp.edge.transport import HandshakeInfo, Peer
from chathttp.rest.client import request_client
from chathttp.settings import Settings
from chathttp.sockjs.codec import BrokenMessages, decode_messages
from chathttp.sockjs.desk import SockjsDesk
from chathttp.sockjs.receiving import EVENT_SOURCE, XHR, XHR_STREAMING, Receiving, Style

BASE: Final = "/ws"
COOKIE: Final = "JSESSIONID"
"""The name that load balancers know SockJS's stickiness by."""
SESSION_ID: Final = re.compile(r"[^/.]{8,128}")
"""A shorter one could be guessed; `sockjs-client` draws 8 of 32 characters."""

_GREETING: Final = b"Welcome to SockJS!\n"
_NOT_CACHED: Final = "no-store, no-cache, no-transform, must-revalidate, max-age=0"
"""No cache keeps it, and no proxy packs it, which would hold it back."""
_COOKIE_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{1,128}")
"""RFC 6265, section 4.1.1."""


def sockjs_blueprint(desk: SockjsDesk, settings: Settings) -> Blueprint:
    blueprint = Blueprint("sockjs", __name__, url_prefix=BASE)
    blueprint.after_request(_Finish(settings).finish)
    origins = frozenset(settings.cors_origins)

    async def receive(style: Style, server: str, session: str) -> Response:
        _check(server, session)
        _check_origin(origins)
        if request.method == "HEAD":
            return Response(b"", content_type=style.content_type)
        owner = request.cookies.get(COOKIE)
        found = desk.find(session, owner) or desk.open(session, style.name, _handshake(), owner)
        stream = cast("PrefixedStream", request.scope["state"][CONNECTION])
        body = Receiving(found, style, _peer(), stream.outbox, most_bytes=desk.limits.response_bytes)
        return Response(body, content_type=style.content_type)

    async def greet() -> Response:
        return Response(_GREETING, content_type="text/plain; charset=UTF-8")

    async def info() -> Response:
        about = {"websocket": True, "origins": ["*:*"], "cookie_needed": True, "entropy": secrets.randbits(32)}
        return Response(msgspec.json.encode(about), content_type="application/json; charset=UTF-8")

    async def xhr(server: str, session: str) -> Response:
        return await receive(XHR, server, session)

    async def xhr_streaming(server: str, session: str) -> Response:
        return await receive(XHR_STREAMING, server, session)

    async def eventsource(server: str, session: str) -> Response:
        return await receive(EVENT_SOURCE, server, session)

    async def xhr_send(server: str, session: str) -> Response:
        _check(server, session)
        _check_origin(origins)
        found = desk.find(session, request.cookies.get(COOKIE))
        if found is None:
            raise not_found("This session")
        data = await request.get_data(as_text=False)
        if not data:
            raise ChatError(ErrorCode.VALIDATION_ERROR, "Payload expected.")
        try:
            messages = decode_messages(data)
        except BrokenMessages:
            raise ChatError(ErrorCode.VALIDATION_ERROR, "Broken JSON encoding.") from None
        await found.put(messages)
        return Response(b"", 204, content_type="text/plain; charset=UTF-8")

    async def websocket(**_ids: str) -> Response:
        raise ChatError(ErrorCode.VALIDATION_ERROR, 'Can "Upgrade" only to "WebSocket".')

    blueprint.add_url_rule("", "greet", greet, methods=["GET"])
    blueprint.add_url_rule("/", "greet", greet, methods=["GET"])
    blueprint.add_url_rule("/info", "info", info, methods=["GET"])
    ids = "/<server>/<session>"
    blueprint.add_url_rule(f"{ids}/websocket", "websocket", websocket, methods=["GET"])
    blueprint.add_url_rule(f"{ids}/xhr", "xhr", xhr, methods=["POST"])
    blueprint.add_url_rule(f"{ids}/xhr_streaming", "xhr_streaming", xhr_streaming, methods=["POST"])
    blueprint.add_url_rule(f"{ids}/xhr_send", "xhr_send", xhr_send, methods=["POST"])
    blueprint.add_url_rule(f"{ids}/eventsource", "eventsource", eventsource, methods=["GET"])
    return blueprint


class _Finish:
    """What each answer bears beside what all of the server's do."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def finish(self, answer: Response) -> Response:
        answer.headers["Cache-Control"] = _NOT_CACHED
        answer.headers["X-Accel-Buffering"] = "no"
        if request.headers.get("Origin", "").lower() in self._settings.cors_origins:
            # The cookie, without which a balancer knows nothing of what belongs together.
            answer.headers["Access-Control-Allow-Credentials"] = "true"
        if answer.status_code < 400 and request.method != "OPTIONS":
            given = request.cookies.get(COOKIE, "")
            value = given if _COOKIE_VALUE.fullmatch(given) else secrets.token_urlsafe(18)
            across = "Secure; SameSite=None" if request_client(self._settings).secure else "SameSite=Lax"
            answer.headers.add("Set-Cookie", f"{COOKIE}={value}; Path=/; HttpOnly; {across}")
        return answer


def _check(server: str, session: str) -> None:
    """Raises `NOT_FOUND` for what is no path of a session."""
    if not server or "." in server or not SESSION_ID.fullmatch(session):
        raise ChatError(ErrorCode.NOT_FOUND, "There is nothing at this path")


def _check_origin(allowed: Collection[str]) -> None:
    """As at a WebSocket's handshake. Raises `FORBIDDEN`."""
    try:
        check_origin(_headers(), allowed)
    except HandshakeRefused as refused:
        raise refused.error from None


def _handshake() -> HandshakeInfo:
    return HandshakeInfo(request.path, request.query_string, _headers(), None, _peer())


def _peer() -> Peer:
    host, port = request.scope["client"] or ("", 0)
    return Peer(host, port or 0)


def _headers() -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower(), value) for name, value in request.scope["headers"])
