"""A chat server that does what it is told wrong: enough REST and STOMP for the load tester, one room."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Mapping
from typing import Self

from attrs import define, field, frozen
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Request
from wsproto.utilities import RemoteProtocolError

from chathttp.stomp.decoder import Decoder
from chathttp.stomp.frame import Frame, Version
from chathttp.stomp.server_frames import connected
from chathttp.stomp.websocket_frame import close_frame
from tests.chatload import server_bytes


@frozen(kw_only=True)
class Wrong:
    """What goes wrong, by the number of the message, or of the subscriber (from 0) and the message."""

    drop: frozenset[tuple[int, int]] = frozenset()
    double: frozenset[tuple[int, int]] = frozenset()
    swap: frozenset[tuple[int, int]] = frozenset()
    """The message comes after the one that follows it."""
    close: Mapping[tuple[int, int], int] = field(factory=dict[tuple[int, int], int])
    """The subscriber is closed with that code in place of the message."""
    other: frozenset[tuple[int, int]] = frozenset()
    """The subscriber gets another message under that number."""
    silent: frozenset[int] = frozenset()
    """There is no receipt."""
    refuse: frozenset[int] = frozenset()
    """The send, by its place among all sends from 1, is refused."""
    stall: Mapping[int, float] = field(factory=dict[int, float])
    """Everything stands still for so many seconds before the message."""
    full: bool = False
    """No WebSocket is let in."""
    later: int = 0
    """So many openings of WebSockets are asked to come back in a second."""


@define(eq=False)
class _Client:
    sock: socket.socket
    number: int = -1
    held: bytes = b""

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)


class FaultyServer:
    """Runs in threads until the block ends."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._clients: list[_Client] = []
        self._subscribed = 0
        self._sends = 0
        self._openings = 0
        self._log: list[tuple[str, bytes]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # To close a listener does not wake a thread that accepts; shutting it down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _spawn(self, target: "object", *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client = _Client(sock)
                self._clients.append(client)
                self._spawn(self._serve, client)

    def _serve(self, client: _Client) -> None:
        with contextlib.suppress(OSError, RemoteProtocolError), client.sock:
            data = b""
            while piece := client.sock.recv(65_536):
                data += piece
                head, end, body = data.partition(b"\r\n\r\n")
                if end and self._wrong.full and b"upgrade: websocket" in head.lower():
                    client.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                    return
                if end and b"upgrade: websocket" in head.lower() and self._is_deferred():
                    client.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
                    return
                if end and b"upgrade: websocket" in head.lower():
                    self._websocket(client, data)
                    return
                length = re.search(rb"content-length: (\d+)", head.lower())
                if end and len(body) >= (int(length[1]) if length else 0):
                    answer = json.dumps({"id": server_bytes.ROOM, "lastSeq": 0}).encode()
                    client.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
                    data = b""

    def _is_deferred(self) -> bool:
        with self._lock:
            self._openings += 1
            return self._openings <= self._wrong.later

    def _websocket(self, client: _Client, head: bytes) -> None:
        websocket = WSConnection(ConnectionType.SERVER)
        decoder = Decoder(version=Version.V12)
        websocket.receive_data(head)
        while True:
            for event in websocket.events():
                match event:
                    case Request():
                        client.write(websocket.send(AcceptConnection(subprotocol="v12.stomp")))
                    case CloseConnection():
                        return
                    case Message(data=str(text)):
                        for frame in decoder.feed(text.encode()):
                            if isinstance(frame, Frame):
                                self._frame(client, frame)
                    case _:
                        pass
            data = client.sock.recv(65_536)
            if not data:
                return
            websocket.receive_data(data)

    def _frame(self, client: _Client, frame: Frame) -> None:
        receipt = frame.header("receipt") or ""
        with self._lock:
            match frame.command:
                case "CONNECT":
                    client.write(server_bytes.frames(connected(Version.V12)))
                case "SUBSCRIBE":
                    client.write(server_bytes.frames(server_bytes.plain_receipt(receipt)))
                    if receipt == "m":
                        self._subscribe(client, frame.header("last-seq"))
                case "SEND":
                    self._send(client, receipt, json.loads(frame.body)["clientMessageId"])
                case _:
                    pass

    def _subscribe(self, client: _Client, last_seq: str | None) -> None:
        if last_seq is None:
            client.number = self._subscribed
            self._subscribed += 1
        else:
            client.write(b"".join(data for _, data in self._log[int(last_seq) :]))
            client.number = 1_000_000  # who comes back meets no more faults

    def _send(self, sender: _Client, receipt: str, key: str) -> None:
        wrong = self._wrong
        self._sends += 1
        if self._sends in wrong.refuse:
            sender.write(server_bytes.frames(server_bytes.refusal("RATE_LIMITED", receipt)))
            return
        seq = len(self._log) + 1
        time.sleep(wrong.stall.get(seq, 0.0))
        data = server_bytes.frames(server_bytes.message(seq, key))
        self._log.append((key, data))
        if seq not in wrong.silent:
            sender.write(server_bytes.frames(server_bytes.message_receipt(receipt, seq)))
        for client in self._clients:
            if client.number >= 0:
                self._deliver(client, seq, data)

    def _deliver(self, client: _Client, seq: int, data: bytes) -> None:
        wrong, place = self._wrong, (client.number, seq)
        if place in wrong.close:
            client.write(close_frame(wrong.close[place], "told to"))
            client.number = -1
        elif place in wrong.swap:
            client.held = data
        elif place not in wrong.drop:
            if place in wrong.other:
                data = server_bytes.frames(server_bytes.message(seq, f"{self._log[0][0]}9"))
            client.write(data + client.held + (data if place in wrong.double else b""))
            client.held = b""
