"""What connections receive: the hot path for what many get alike, and the way of everything else."""

import contextlib
import select
import ssl
import time
from collections.abc import Sequence
from typing import Final, Protocol

from chatload.worker.client_frames import websocket_frame
from chatload.worker.connection import LOST, READ_SIZE, Connection, Stage
from chatload.worker.room import Message
from chatload.worker.server_frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Connected,
    ProtocolError,
    Receipted,
    Refused,
    StompEvent,
)
from chatload.worker.tally import Tally


class Listener(Protocol):
    """Whom the receiver tells what is no delivery."""

    def foreign(self, fd: int) -> None:
        """There is something to read that belongs to no connection."""
        ...

    def subscribed(self, connection: Connection) -> None: ...
    def resumed(self, connection: Connection, at: int) -> None: ...
    def receipted(self, connection: Connection, receipt: Receipted, now: int) -> None: ...
    def refused(self, connection: Connection, refusal: Refused) -> None: ...


SNAPSHOT: Final = 500_000_000
"""Nanoseconds after a subscription within which a typing event may tell who typed before."""


class Receiver:
    """Reads what epoll says is there."""

    def __init__(self, connections: dict[int, Connection], tally: Tally, listener: Listener) -> None:
        """`connections` are the open ones, by file descriptor."""
        self._connections = connections
        self._tally = tally
        self._listener = listener

    def handle(self, events: Sequence[tuple[int, int]]) -> None:
        """What epoll has found, descriptors and event masks."""
        connections, clock, readable, read = self._connections, time.monotonic_ns, select.EPOLLIN, self.read
        for fd, mask in events:
            connection = connections.get(fd)
            if connection is None:
                self._listener.foreign(fd)
                continue
            if not connection.fast or mask != readable:
                connection.ready_for(mask)
                continue
            try:
                data = connection.recv(READ_SIZE)
            except BlockingIOError:
                continue
            except OSError as error:
                connection.lose(LOST, str(error))
                continue
            if data:
                read(connection, data, clock())
            else:
                connection.lose(LOST, "the server closed the connection")

    def read(self, connection: Connection, data: bytes, now: int) -> None:
        """Every microsecond here is one a delivery: whoever reads the bytes that the last one read, and waits for
        their number, is noted and no more.
        """
        room = connection.room
        order = connection.order
        if order.next == room.chunk_first and connection.fast and data == room.chunk:
            order.next = room.chunk_after
            for message in room.chunk_messages:
                message.times.append(now)
            return
        try:
            self.received(connection, data, now)
        except ProtocolError as error:
            connection.lose(1002, str(error))

    def received(self, connection: Connection, data: bytes, now: int) -> None:
        """Any bytes of the WebSocket stream. Raises `ProtocolError`."""
        room, order, splitter = connection.room, connection.order, connection.splitter
        first = order.next
        whole = splitter.between_frames
        messages: list[Message] = []
        frames = splitter.feed(data)
        for opcode, payload in frames:
            if opcode != TEXT:
                self._control(connection, opcode, payload)
                continue
            known = room.known(payload) or room.learn(payload, now)
            if isinstance(known, Message):
                messages.append(known)
                self._deliver(connection, known, now)
            else:
                for event in known:
                    self._event(connection, event, now)
        if whole and len(messages) == len(frames) > 0 and splitter.between_frames:
            self._remember(connection, data, first, messages)
        connection.update_fast()

    def _remember(self, connection: Connection, data: bytes, first: int, messages: list[Message]) -> None:
        room = connection.room
        in_order = [message.seq for message in messages] == list(range(first, first + len(messages)))
        if in_order and not any(message.truncated for message in messages):
            room.chunk, room.chunk_messages = data, messages
            room.chunk_first, room.chunk_after = first, first + len(messages)

    def _deliver(self, connection: Connection, message: Message, now: int) -> None:
        if not message.seq:
            measured = connection.ready and not connection.resuming and not connection.plan.slow
            if measured and now - connection.subscribed_at > SNAPSHOT:
                message.times.append(now)
            return
        order = connection.order
        is_new = order.take_truncated(message.seq) if message.truncated else order.take(message.seq)
        if not is_new:
            return
        if connection.plan.slow:
            self._tally.delivered += 1
        elif not connection.resuming:
            message.times.append(now)
        elif message.due < connection.subscribed_at:
            message.replayed += 1
        else:
            message.times.append(now)
        if connection.resuming:
            if message.due < connection.subscribed_at:
                connection.last_missed = now
            else:
                self.finish_resume(connection)

    def finish_resume(self, connection: Connection) -> None:
        """All that was missed has come; with nothing missed, the subscription itself was the end."""
        connection.resuming = False
        connection.update_fast()
        self._listener.resumed(connection, connection.last_missed)

    def _control(self, connection: Connection, opcode: int, payload: bytes) -> None:
        match opcode:
            case _ if opcode == PING:
                connection.write(websocket_frame(PONG, payload))
            case _ if opcode == CLOSE:
                code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
                with contextlib.suppress(ssl.SSLError):
                    connection.write(websocket_frame(CLOSE, payload[:2]))
                connection.lose(code, payload[2:].decode(errors="replace"))
            case _:
                pass

    def _event(self, connection: Connection, event: StompEvent, now: int) -> None:
        match event:
            case Connected() if connection.stage is Stage.CONNECT:
                connection.connected(now)
                if not connection.awaited:
                    self._listener.subscribed(connection)
            case Receipted(receipt) if receipt in connection.awaited:
                connection.awaited.discard(receipt)
                if receipt == b"m":
                    connection.last_missed = max(connection.last_missed, now)
                if not connection.awaited and connection.stage is Stage.SUBSCRIBE:
                    self._listener.subscribed(connection)
            case Receipted():
                self._listener.receipted(connection, event, now)
            case Refused():
                self._listener.refused(connection, event)
            case _:
                pass
