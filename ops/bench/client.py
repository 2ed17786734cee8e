"""A STOMP client over a blocking socket, as light as Python allows, so that the server is what saturates."""

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import cast
from urllib.parse import urlsplit

_MASK = b"\0\0\0\0"


def masked_text_frame(payload: bytes) -> bytes:
    """A client's WebSocket text frame (RFC 6455 section 5.2); the mask is zero, which leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, 0x80 | size) + _MASK + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 0x80 | 126, size) + _MASK + payload
    return struct.pack("!BBQ", 0x81, 0x80 | 127, size) + _MASK + payload


def stomp(command: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    head = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return masked_text_frame(f"{command}\n{head}\n".encode() + body + b"\0")


class StompSocket:
    """One connected and authenticated WebSocket."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        host, port = address.hostname or "127.0.0.1", address.port or 80
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.sock.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: v12.stomp\r\n\r\n".encode()
        )
        self.wait_for(b"\r\n\r\n")
        headers = {"accept-version": "1.2", "host": host, "Authorization": f"Bearer {token}", "heart-beat": "0,0"}
        self.sock.sendall(stomp("CONNECT", headers))
        self.wait_for(b"CONNECTED")
        self.wait_for(b"\0")

    def wait_for(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        while mark not in self._buffer:
            data = self.sock.recv(65_536)
            if not data:
                raise ConnectionError(f"the server closed: {self._buffer!r}")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(mark)
        return head + mark

    def subscribe(self, conversation_id: str) -> None:
        headers = {"id": "0", "destination": f"/topic/conversation.{conversation_id}", "receipt": "s"}
        self.sock.sendall(stomp("SUBSCRIBE", headers))
        if b"ERROR" in self.wait_for(b"\0"):
            raise ConnectionError("the subscription was refused")

    def message_frame(self, conversation_id: str, text: str, receipt: str | None = None) -> bytes:
        headers = {"destination": "/app/message.send"}
        if receipt is not None:
            headers["receipt"] = receipt
        return stomp("SEND", headers, json.dumps({"conversationId": conversation_id, "text": text}).encode())

    def close(self) -> None:
        self.sock.close()


class Rest:
    """The REST calls that a benchmark needs to set its scene."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def make_group(self, name: str, members: Sequence[str]) -> str:
        """The id of a new group of the caller and `members` (user ids)."""
        body = json.dumps({"type": "GROUP", "name": name, "participantIds": list(members)})
        status, answer = self._request("POST", "/api/conversations", body)
        if status != 201:
            raise ConnectionError(f"no group: {answer}")
        return str(answer["id"])

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        """The status and the JSON object of the answer."""
        return self._request("GET", path, None)

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, dict[str, object]]:
        with closing(HTTPConnection(self._host, self._port)) as connection:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            return response.status, cast("dict[str, object]", json.loads(response.read()))


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has used (proc(5), fields 14 and 15 of stat)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
