import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathttp.sockjs.codec import (
    MOST_GROWTH,
    BrokenMessages,
    close_frame,
    decode_messages,
    message_in_websocket,
    message_line,
    messages_frame,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.lists(TEXTS, min_size=1))
def test_a_frame_of_joined_lines_has_the_messages_that_were_put_in(texts: list[str]) -> None:
    lines = [message_line(text.encode()) for text in texts]
    assert all(line.count(b"\n") == 1 for line in lines)
    frame = messages_frame(b"".join(lines))
    assert frame[:1] == b"a"
    assert json.loads(frame[1:]) == texts
    assert b"\n" not in frame
    assert b"\r" not in frame


@given(TEXTS)
def test_a_websocket_message_is_a_frame_of_one(text: str) -> None:
    message = message_in_websocket(text.encode())
    assert message[0] == 0x81
    start = {126: 4, 127: 10}.get(message[1], 2)
    assert json.loads(message[start:].removeprefix(b"a")) == [text]


@given(TEXTS)
def test_json_makes_no_more_of_a_message_than_is_allowed_for(text: str) -> None:
    assert len(json.dumps(text, ensure_ascii=False).encode()) <= MOST_GROWTH * len(text.encode()) + 2
    assert len(json.dumps(text).encode()) <= MOST_GROWTH * len(text.encode()) + 2


@given(st.lists(TEXTS), st.booleans())
def test_what_a_client_sends_is_read_back(texts: list[str], ascii_only: bool) -> None:
    sent = json.dumps(texts, ensure_ascii=ascii_only)
    assert decode_messages(sent) == texts
    assert decode_messages(sent.encode()) == texts


def test_nothing_is_no_message() -> None:
    assert decode_messages("") == []
    assert decode_messages(b"[]") == []


@pytest.mark.parametrize("sent", ['["x', '"x"', "[1]", "{}", "[null]", b"\xff", b'["\xff"]', '["\\ud800"]', "x"])
def test_what_is_no_array_of_texts_is_refused(sent: bytes | str) -> None:
    with pytest.raises(BrokenMessages):
        decode_messages(sent)


@given(st.binary())
def test_any_bytes_are_read_or_refused(sent: bytes) -> None:
    try:
        messages = decode_messages(sent)
    except BrokenMessages:
        return
    assert sent == b"" or json.loads(sent) == messages


def test_a_close_frame_has_code_and_reason() -> None:
    assert close_frame(3000, "Go away!") == b'c[3000,"Go away!"]'
    assert json.loads(close_frame(1013, 'reads "too" slowly\n')[1:]) == [1013, 'reads "too" slowly\n']
