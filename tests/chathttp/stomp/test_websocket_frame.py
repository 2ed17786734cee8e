"""The frames as an independent WebSocket implementation, wsproto, reads them."""

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, TextMessage

from chathttp.stomp.websocket_frame import close_frame, text_frame


def read(octets: bytes) -> list[Event]:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(octets)
    return list(client.events())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_text_frame_is_one_whole_message(size: int) -> None:
    events = read(text_frame(b"x" * size))
    assert events == [TextMessage(data="x" * size, frame_finished=True, message_finished=True)]


def test_text_frames_follow_each_other() -> None:
    events = read(text_frame("grüße".encode()) + text_frame(b"\0"))
    assert [event.data for event in events if isinstance(event, TextMessage)] == ["grüße", "\0"]


@pytest.mark.parametrize("reason", ["", "too slow", "x" * 123])
def test_a_close_frame_bears_code_and_reason(reason: str) -> None:
    assert read(close_frame(1013, reason)) == [CloseConnection(code=1013, reason=reason)]


def test_a_long_reason_is_cut_between_characters() -> None:
    (event,) = read(close_frame(1002, "ü" * 100))
    assert event == CloseConnection(code=1002, reason="ü" * 61)
