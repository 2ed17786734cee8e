import json

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Message, Request, TextMessage

from chathttp.stomp.decoder import Decoder
from chathttp.stomp.frame import Frame, Version
from chatload.worker.client_frames import (
    MessageFrames,
    connect_frame,
    subscribe_frame,
    typing_frame,
    upgrade_request,
    websocket_frame,
)


def payloads(data: bytes) -> list[str | bytes]:
    """The WebSocket messages in a client's bytes, as wsproto reads them after our own handshake."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(upgrade_request("server:8080", "/ws"))
    request = next(server.events())
    assert isinstance(request, Request)
    assert (request.host, request.target, request.subprotocols) == ("server:8080", "/ws", ["v12.stomp"])
    server.send(AcceptConnection(subprotocol="v12.stomp"))
    server.receive_data(data)
    found: list[str | bytes] = []
    parts: list[str] = []
    for event in server.events():
        assert isinstance(event, Message)
        assert isinstance(event, TextMessage | BytesMessage)
        parts.append(str(event.data))
        if event.message_finished:
            found.append("".join(parts))
            parts.clear()
    return found


def stomp(data: bytes) -> Frame:
    """The only STOMP frame in a client's bytes, as the server's decoder reads it."""
    (payload,) = payloads(data)
    assert isinstance(payload, str)
    (frame,) = Decoder(version=Version.V12).feed(payload.encode())
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_websocket_frame_is_read_by_another_implementation(size: int) -> None:
    assert payloads(websocket_frame(1, b"x" * size)) == ["x" * size]


def test_connect_bears_the_token_and_asks_for_no_heart_beats() -> None:
    frame = stomp(connect_frame("server", "a.b.c"))
    assert frame.command == "CONNECT"
    assert dict(frame.headers) == {
        "accept-version": "1.2",
        "host": "server",
        "heart-beat": "0,0",
        "Authorization": "Bearer a.b.c",
    }


def test_subscription_resumes_only_when_told_to() -> None:
    assert stomp(subscribe_frame("m", "/topic/conversation.c")).header("last-seq") is None
    assert stomp(subscribe_frame("m", "/topic/conversation.c", 0)).header("last-seq") == "0"


def test_message_has_receipt_key_and_size() -> None:
    frame = stomp(MessageFrames("c-1", 12).frame(7, b"run.3.7.99"))
    assert (frame.command, frame.header("destination"), frame.header("receipt")) == ("SEND", "/app/message.send", "7")
    assert json.loads(frame.body) == {"conversationId": "c-1", "text": "x" * 12, "clientMessageId": "run.3.7.99"}


def test_typing_names_its_conversation() -> None:
    for starts, destination in [(True, "/app/typing.start"), (False, "/app/typing.stop")]:
        frame = stomp(typing_frame("c-1", starts=starts))
        assert frame.header("destination") == destination
        assert json.loads(frame.body) == {"conversationId": "c-1"}
