"""One connection: from `connect(2)` to the subscriptions that are in force, and the bytes of both directions."""

import re
import select
import socket
import ssl
import time
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, Protocol

from chatload.messages import ConnectionPlan
from chatload.sequence import SequenceChecker
from chatload.worker.client_frames import (
    ERRORS,
    MESSAGES,
    TYPING,
    connect_frame,
    subscribe_frame,
    upgrade_request,
    websocket_frame,
)
from chatload.worker.endpoint import Endpoint
from chatload.worker.room import Room
from chatload.worker.server_frames import FrameSplitter, ProtocolError

READ_SIZE: Final = 65_536
LOST: Final = 1006
"""The close code of a connection that ended without one (RFC 6455 section 7.1.5)."""
_HEAD_LIMIT: Final = 65_536
_DEFERRED: Final = re.compile(rb"(?is)HTTP/1\.1 503 .*?\r\nretry-after:[ \t]*(\d{1,9})[ \t]*(?:\r\n|$)")


class Stage(IntEnum):
    CLOSED = 0
    TCP = 1
    TLS = 2
    UPGRADE = 3
    CONNECT = 4
    SUBSCRIBE = 5
    READY = 6


class Owner(Protocol):
    """Whom a connection tells what happens to it."""

    endpoints: Sequence[Endpoint]
    epoll: select.epoll

    def received(self, connection: "Connection", data: bytes, now: int) -> None:
        """Bytes that the hot path did not take. Raises `ProtocolError`."""
        ...

    def opened(self, connection: "Connection", now: int) -> None:
        """TCP, TLS, WebSocket and STOMP stand; the subscriptions follow."""
        ...

    def ended(self, connection: "Connection", code: int, reason: str) -> None:
        """Lost, refused or closed by the server."""
        ...

    def deferred(self, connection: "Connection", seconds: int) -> None:
        """Not let in now, and asked to come back after that time."""
        ...


class Connection:
    """`fast` says that a read needs nothing but the hot path: ready, at a frame's start, neither slow nor resuming."""

    __slots__ = (
        "_destination",
        "_endpoint",
        "_events",
        "_head",
        "_out",
        "_owner",
        "_sock",
        "awaited",
        "began",
        "fast",
        "fd",
        "last_missed",
        "order",
        "plan",
        "recv",
        "resuming",
        "room",
        "slow",
        "splitter",
        "stage",
        "subscribed_at",
        "tried",
    )

    def __init__(self, owner: Owner, plan: ConnectionPlan, room: Room) -> None:
        self.plan = plan
        self.room = room
        self.order = SequenceChecker(room.plan.base)
        self.slow = plan.slow
        self.stage = Stage.CLOSED
        self.fd = -1
        self.fast = False
        self.resuming = False
        """What comes was sent before this connection was back."""
        self.began = 0
        """When the first attempt began: who is deferred counts the wait."""
        self.tried = 0
        """When this attempt began."""
        self.subscribed_at = 0
        self.last_missed = 0
        """When the latest message came that had been missed."""
        self.awaited: set[bytes] = set()
        """Receipts of subscriptions that are not there yet."""
        self._owner = owner
        self._endpoint = owner.endpoints[plan.server]
        self._destination = f"/topic/conversation.{room.plan.conversation_id}"
        self._reset()

    def _reset(self) -> None:
        self._sock: socket.socket | None = None
        self._out = bytearray()
        self._head = b""
        self._events = 0
        self.splitter = FrameSplitter()

    @property
    def ready(self) -> bool:
        return self.stage is Stage.READY

    def start(self, now: int) -> None:
        """Begin to connect."""
        self.began = now
        self.retry(now)

    def retry(self, now: int) -> None:
        """Begin again, after having been deferred."""
        self._reset()
        self.tried = now
        try:
            sock = self._endpoint.open(self.plan.source, slow=self.slow)
        except OSError as error:
            self._owner.ended(self, LOST, str(error))
            return
        self._sock = sock
        self.fd = sock.fileno()
        self.recv = sock.recv
        self.stage = Stage.TCP
        self._events = select.EPOLLIN | select.EPOLLOUT
        self._owner.epoll.register(self.fd, self._events)

    def ready_for(self, events: int) -> None:
        """What epoll said, when it is not for the hot path."""
        try:
            if self.stage is Stage.TCP:
                self._tcp_done()
            if self.stage is Stage.TLS:
                self._handshake()
                return
            if events & select.EPOLLOUT:
                self._flush()
            if events & ~select.EPOLLOUT:
                self._read(READ_SIZE)
        except ProtocolError as error:
            self.lose(1002, str(error))
        except OSError as error:
            self.lose(LOST, str(error))

    def read_some(self, size: int) -> None:
        """Take up to `size` bytes, more only where TLS has them in its own buffer."""
        try:
            self._read(size)
        except ProtocolError as error:
            self.lose(1002, str(error))
        except OSError as error:
            self.lose(LOST, str(error))

    def _read(self, size: int) -> None:
        try:
            data = self.recv(size)
            while isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
                data += self.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            self.lose(LOST, "the server closed the connection")
            return
        now = time.monotonic_ns()
        if self.stage is Stage.UPGRADE:
            data = self._upgraded(data)
        if data:
            self._owner.received(self, data, now)

    def write(self, data: bytes) -> None:
        if self._sock is None:
            return
        if self._out:
            self._out += data
            return
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            return  # the read that follows tells why
        if sent < len(data):
            self._out += data[sent:]
            self._want(self._events | select.EPOLLOUT)

    def connected(self, now: int) -> None:
        """CONNECTED came: subscribe, after what this connection has already."""
        self.stage = Stage.SUBSCRIBE
        self._owner.opened(self, now)
        self.subscribed_at = time.monotonic_ns()
        self.last_missed = 0
        frames: list[tuple[str, bytes]] = []
        if self.plan.listens:
            resume = self.order.resume() if self.resuming else None
            frames.append((MESSAGES, subscribe_frame(MESSAGES, self._destination, resume)))
            if self.room.plan.typists:
                frames.append((TYPING, subscribe_frame(TYPING, f"{self._destination}.typing")))
        if self.plan.phase is not None:
            frames.append((ERRORS, subscribe_frame(ERRORS, "/user/queue/errors")))
        self.awaited = {name.encode() for name, _ in frames}
        for _, frame in frames:
            self.write(frame)

    def pause_reading(self) -> None:
        """From now on `read_some` is called by a clock."""
        self._want(0)

    def resume_reading(self) -> None:
        self.slow = False
        if self.stage is Stage.READY:
            self._want(select.EPOLLIN | (self._events & select.EPOLLOUT))

    def update_fast(self) -> None:
        plain = not isinstance(self._sock, ssl.SSLSocket)
        calm = self.stage is Stage.READY and not self.resuming and not self.plan.slow
        self.fast = plain and calm and self.splitter.between_frames

    def close(self, code: int = 1000) -> None:
        """Our own end: a close frame if it goes at once, then the socket."""
        if self._sock is not None and self.stage >= Stage.CONNECT:
            self.write(websocket_frame(8, code.to_bytes(2)))
        self._drop()

    def lose(self, code: int, reason: str) -> None:
        self._drop()
        self._owner.ended(self, code, reason)

    def _drop(self) -> None:
        if self._sock is not None:
            self._owner.epoll.unregister(self.fd)
            self._sock.close()
            self._sock = None
        self.stage = Stage.CLOSED
        self.fast = False

    def _tcp_done(self) -> None:
        assert self._sock is not None
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect failed")
        tls = self._endpoint.tls
        if tls is None:
            self._request_upgrade()
            return
        self.stage = Stage.TLS
        name = self._endpoint.name
        self._sock = tls.wrap_socket(self._sock, server_hostname=name, do_handshake_on_connect=False)
        self.recv = self._sock.recv

    def _handshake(self) -> None:
        assert isinstance(self._sock, ssl.SSLSocket)
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            self._want(select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self._want(select.EPOLLIN | select.EPOLLOUT)
        else:
            self._want(select.EPOLLIN)
            self._request_upgrade()

    def _request_upgrade(self) -> None:
        self.stage = Stage.UPGRADE
        self._want(select.EPOLLIN)
        endpoint = self._endpoint
        self.write(upgrade_request(endpoint.host, f"{endpoint.prefix}/ws"))

    def _upgraded(self, data: bytes) -> bytes:
        """What follows the answer to the handshake, once that is whole. Raises `ProtocolError` for a refusal."""
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _HEAD_LIMIT:
                raise ProtocolError("the handshake's answer is too long")
            return b""
        status = head.partition(b"\r\n")[0].decode("latin-1")
        deferral = _deferral(head)
        if deferral is not None:
            self._drop()
            self._owner.deferred(self, deferral)
            return b""
        if not status.startswith("HTTP/1.1 101"):
            raise ProtocolError(f"the WebSocket handshake was refused: {status}")
        self._head = b""
        self.stage = Stage.CONNECT
        self.write(connect_frame(self._endpoint.name, self.plan.token))
        return rest

    def _flush(self) -> None:
        if self._sock is None or not self._out:
            return
        try:
            sent = self._sock.send(self._out)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        del self._out[:sent]
        if not self._out:
            self._want(self._events & ~select.EPOLLOUT)

    def _want(self, events: int) -> None:
        if self._sock is not None and events != self._events:
            self._events = events
            self._owner.epoll.modify(self.fd, events)


def _deferral(head: bytes) -> int | None:
    """The seconds of a 503 with Retry-After (RFC 9110 section 10.2.3); None for any other answer."""
    found = _DEFERRED.match(head)
    return int(found[1]) if found else None
