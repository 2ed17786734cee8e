"""One look at a node, over HTTP."""

import http.client
import socket
from urllib.parse import urlencode

import msgspec

from chatconsole.api.messages import PREFIX, Snapshot
from chatconsole.beacon import Beacon


class ConsoleError(Exception):
    """The node cannot be looked at; the message is one line for people."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        sock = self.sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(self.timeout)
        sock.connect(self._path)


def fetch(beacon: Beacon, query: dict[str, str], *, timeout: float = 45.0) -> bytes:
    """A snapshot's JSON. Raises `ConsoleError`."""
    connection = (
        _UnixConnection(beacon.host, timeout)
        if beacon.host.startswith("/")
        else http.client.HTTPConnection(beacon.host, beacon.port, timeout=timeout)
    )
    try:
        path = f"{PREFIX}/snapshot?{urlencode(query)}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {beacon.token}"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ConsoleError(f"process {beacon.pid} does not answer on its management port: {error}") from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise ConsoleError(f"process {beacon.pid} refuses: {_message(body) or response.reason}")
    return body


def decode(body: bytes) -> Snapshot:
    """Raises `ConsoleError` when it is no snapshot of a version that is known here."""
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except msgspec.DecodeError as error:
        raise ConsoleError(f"this console does not understand the node's answer: {error}") from None


def _message(body: bytes) -> str:
    try:
        answer: dict[str, object] = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        return ""
    return str(answer.get("message", ""))
