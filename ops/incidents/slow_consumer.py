"""A client that subscribes and then reads nothing, and another that writes meanwhile, on a running `stackmentor dev`.

The kernel takes some megabytes before the outbox has to, so let the writer write: STACKMENTOR_SEND_RATE=1000.

python -m ops.incidents.slow_consumer http://127.0.0.1:8080
"""

import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

PASSWORD = "Passw0rd!"
SECONDS = 40.0
TEXT = "x" * 9000


def main(url: str) -> None:
    with httpx.Client(base_url=url, timeout=20.0) as http:
        reader, writer = (_sign_in(http, name) for name in ("bob", "alice"))
        group = next(each["id"] for each in _get(http, writer, "/api/conversations") if each["type"] == "GROUP")
        with _subscribe(url, reader, group):
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                body = {"conversationId": group, "text": TEXT}
                http.post("/api/messages", json=body, headers={"Authorization": f"Bearer {writer}"})


def _sign_in(http: httpx.Client, name: str) -> str:
    answer = http.post("/auth/login", json={"email": f"{name}@example.com", "password": PASSWORD})
    return answer.raise_for_status().json()["accessToken"]


def _get(http: httpx.Client, token: str, path: str) -> Any:
    return http.get(path, headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()


def _subscribe(url: str, token: str, group: str) -> socket.socket:
    address = urlsplit(url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((address.hostname or "127.0.0.1", address.port or 80))
    lines = [
        f"GET /ws?access_token={token} HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: v12.stomp",
    ]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    sock.recv(4096)
    sock.sendall(_frame("CONNECT\naccept-version:1.2\nhost:x\nheart-beat:0,0\n\n\0"))
    sock.recv(4096)
    sock.sendall(_frame(f"SUBSCRIBE\nid:1\ndestination:/topic/conversation.{group}\n\n\0"))
    return sock


def _frame(text: str) -> bytes:
    """A masked text message; the mask of zeros changes nothing (RFC 6455, section 5.3)."""
    payload = text.encode()
    return (
        b"\x81\xfe" + len(payload).to_bytes(2) + bytes(4) + payload
        if len(payload) > 125
        else (b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload)
    )


if __name__ == "__main__":
    main(sys.argv[1])
