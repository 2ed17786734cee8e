"""The octets of the real client, recorded, in all the ways they can arrive."""

import base64
import json
from pathlib import Path

import pytest

from chathttp.stomp.acks import AckMode
from chathttp.stomp.codec import HEART_BEAT, Decoder
from chathttp.stomp.commands import (
    Abort,
    Ack,
    Begin,
    Command,
    Commit,
    Connect,
    Disconnect,
    Nack,
    Send,
    Subscribe,
    Unsubscribe,
)
from chathttp.stomp.frame import Frame, HeartBeat, Version
from chathttp.stomp.heartbeat import HeartbeatIntervals
from chathttp.stomp.session_state import StompServerProtocol

CONVERSATION = "0192f0c1-0000-7000-8000-000000000001"
BODY = json.dumps(
    {"conversationId": CONVERSATION, "text": 'Grüße: 你好 👋\n"quoted" \\', "clientMessageId": "c-1"},
    ensure_ascii=False,
    separators=(",", ":"),
).encode()
AUTHORIZATION = "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln"


def recorded(connection: str) -> list[bytes]:
    messages = json.loads(Path(__file__).with_name("stompjs_7.json").read_text())["connections"][connection]
    return [
        message["text"].encode() if "text" in message else base64.b64decode(message["binary"]) for message in messages
    ]


def received(messages: list[bytes], version: Version | None = None) -> list[Frame | HeartBeat]:
    decoder = Decoder(version=version)
    items: list[Frame | HeartBeat] = []
    for message in messages:
        items += decoder.feed(message)
        items += decoder.end_of_message()
    assert decoder.buffered == 0
    return items


def cut_at_nul(messages: list[bytes]) -> list[bytes]:
    """As React Native for Android sends text: up to the first NUL."""
    return [message.split(b"\0")[0] for message in messages]


def commands(messages: list[bytes], version: Version) -> list[Command | None]:
    protocol, decoder = StompServerProtocol(), Decoder()
    given: list[Command | None] = []
    for message in messages:
        for item in [*decoder.feed(message), *decoder.end_of_message()]:
            assert isinstance(item, Frame)
            given.append(protocol.receive(item))
            decoder.version = protocol.version
    assert protocol.version is version
    return given


def message(**headers: str) -> Send:
    return Send("/app/message.send", BODY, headers.get("receipt"))


@pytest.mark.parametrize("arrival", [list[bytes], cut_at_nul])
@pytest.mark.parametrize("version", list(Version))
def test_a_session_is_understood_in_every_version(version: Version, arrival: type[list[bytes]]) -> None:
    ack_id = f"42.{CONVERSATION}.sub-0" if version is Version.V12 else CONVERSATION
    topic = f"/topic/conversation.{CONVERSATION}"
    beats = HeartbeatIntervals(0, 0) if version is Version.V10 else HeartbeatIntervals(10_000, 10_000)
    assert commands(arrival(recorded(f"session {version}")), version) == [
        Connect(version, beats, AUTHORIZATION, None),
        Subscribe("sub-0", topic, AckMode.CLIENT_INDIVIDUAL, 41, None, "r-0"),
        message(receipt="r-1"),
        Send("/app/typing.start", b'{"a":1}', None),
        message(),
        Send("/app/odd", b"{}", "a:b\\c\r\nd" if version is Version.V12 else "a:b"),
        Ack("sub-0", ack_id, None),
        Nack("sub-0", ack_id, None),
        Begin(None),
        None,
        Commit((message(transaction="tx-1"),), None),
        Begin(None),
        Abort(None),
        Unsubscribe("sub-0", "r-2"),
        Disconnect("close-2"),
    ]


def test_heart_beats_stand_between_the_frames() -> None:
    connect, *beats = received(recorded("default versions and heart-beat"))
    assert isinstance(connect, Frame)
    assert connect.header("accept-version") == "1.2,1.1,1.0"
    assert connect.header("heart-beat") == "50,0"
    assert beats == [HEART_BEAT] * 2


def test_binary_messages_are_the_same_frames() -> None:
    connect, sent = received(recorded("binary"))
    assert isinstance(connect, Frame)
    assert sent == Frame.of("SEND", {"destination": "/app/message.send", "content-length": "126"}, BODY)


@pytest.mark.parametrize("connection", ["split", "split small"])
def test_split_frames_are_put_together(connection: str) -> None:
    messages = recorded(connection)
    whole = received([b"".join(messages)])
    assert len(messages) > len(whole) >= 4
    assert received(messages) == whole


@pytest.mark.parametrize("connection", ["split", "split small"])
def test_split_frames_are_put_together_without_their_nul_too(connection: str) -> None:
    messages = recorded(connection)
    assert received(cut_at_nul(messages)) == received([b"".join(messages)])


@pytest.mark.parametrize("size", range(1, 40))
@pytest.mark.parametrize("arrival", [list[bytes], cut_at_nul])
def test_every_size_of_the_pieces_is_understood(size: int, arrival: type[list[bytes]]) -> None:
    frames = b"".join(recorded("split small")).decode().split("\0")[:-1]
    pieces: list[bytes] = []
    for frame in frames:
        text = frame + "\0"
        pieces += [text[start : start + size].encode() for start in range(0, len(text), size)]
    assert received(arrival(pieces)) == received([b"".join(recorded("split small"))])
