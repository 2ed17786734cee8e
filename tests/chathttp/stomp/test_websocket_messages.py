"""What the end of a WebSocket message says about a frame without its NUL."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathttp.stomp.codec import HEART_BEAT, Decoder, StompLimits
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError
from chathttp.stomp.frame import Frame, HeartBeat
from tests.chathttp.stomp.feeding import Feed, both_ways, feed_message
from tests.chathttp.stomp.strategies import pieces

SEND = b"SEND\ndestination:/x\n\n"
BEGIN = b"BEGIN\ntransaction:t\n\n"


def sent(body: bytes) -> Frame:
    return Frame.of("SEND", {"destination": "/x"}, body)


BEGUN = Frame.of("BEGIN", {"transaction": "t"})


CASES: dict[str, list[tuple[bytes, list[Frame | HeartBeat]]]] = {
    "no body and no NUL": [(BEGIN, [BEGUN]), (BEGIN, [BEGUN])],
    "the NUL alone in the next message": [(BEGIN, [BEGUN]), (b"\0", []), (BEGIN + b"\0", [BEGUN])],
    "the NUL before the next frame": [(BEGIN, [BEGUN]), (b"\0" + BEGIN + b"\0", [BEGUN])],
    "the NUL after an empty message": [(BEGIN, [BEGUN]), (b"", []), (b"\0", [])],
    "the NUL after a line end": [(BEGIN, [BEGUN]), (b"\n\0", [HEART_BEAT])],
    "cut inside the command": [(b"BEG", []), (BEGIN[3:], [BEGUN])],
    "cut inside the headers": [(BEGIN[:-1], []), (b"\n", [BEGUN])],
    "cut inside CR LF": [(b"BEGIN\r", []), (b"\ntransaction:t\r\n\r", []), (b"\n", [BEGUN])],
    "blank lines instead of a body": [(BEGIN + b"\n", [BEGUN])],
    "a content-length fulfilled": [
        (b"SEND\ncontent-length:2\n\nhi", [Frame.of("SEND", {"content-length": "2"}, b"hi")]),
        (b"\0", []),
    ],
    "a content-length not fulfilled": [
        (b"SEND\ncontent-length:2\n\nh", []),
        (b"i", [Frame.of("SEND", {"content-length": "2"}, b"hi")]),
    ],
    "a JSON object": [(SEND + b'{"a":"}"}', [sent(b'{"a":"}"}')]), (b"\0", []), (BEGIN, [BEGUN])],
    "a JSON object and a line end": [(SEND + b"{}\n", [sent(b"{}\n")])],
    "half a JSON object": [(SEND + b'{"a":"}', []), (b'"}', [sent(b'{"a":"}"}')])],
    "half a JSON object and then all with NUL": [(SEND + b'{"a":{}', []), (b"}\0" + BEGIN, [sent(b'{"a":{}}'), BEGUN])],
    "pretty JSON cut before a line end": [(SEND + b"{", []), (b'\n"a":1}', [sent(b'{\n"a":1}')])],
    "cut between headers and body": [(SEND, []), (b"{}", [sent(b"{}")])],
    "cut before what looks like a command's beginning": [(SEND + b'{"a":"', []), (b'SEND"}', [sent(b'{"a":"SEND"}')])],
    "a message that is a command's beginning": [
        (SEND + b'{"a":"', []),
        (b"SEND", []),
        (b'"}', [sent(b'{"a":"SEND"}')]),
    ],
    "text, then a frame": [(SEND + b"hello", []), (BEGIN, [sent(b"hello"), BEGUN])],
    "text, then a frame with CR LF": [
        (SEND + b"hello", []),
        (b"BEGIN\r\ntransaction:t\r\n\r\n", [sent(b"hello"), BEGUN]),
    ],
    "text, then a heart-beat": [(SEND + b"hello", []), (b"\n", []), (BEGIN, [sent(b"hello\n"), BEGUN])],
    "pretty JSON with a line end as a message": [(SEND + b"{", []), (b"\n", []), (b"}", [sent(b"{\n}")])],
    "text, then more of it": [(SEND + b"hello", []), (b" you\0", [sent(b"hello you")])],
    "text, then its NUL": [(SEND + b"hello", []), (b"\0", [sent(b"hello")])],
    "no body where there may be one": [(SEND, []), (BEGIN, [sent(b""), BEGUN])],
    "an empty message in between": [(SEND + b"{", []), (b"", []), (b"}", [sent(b"{}")])],
}


@pytest.mark.parametrize("name", CASES)
@both_ways
def test_messages_give_their_frames(name: str, feed: Feed) -> None:
    decoder = Decoder()
    for message, expected in CASES[name]:
        assert feed_message(feed, decoder, message) == expected
    assert decoder.buffered == 0


def test_only_one_late_nul_is_dropped() -> None:
    decoder = Decoder()
    assert feed_message(Decoder.feed, decoder, BEGIN) == [BEGUN]
    assert decoder.feed(b"\0") == []
    with pytest.raises(StompSyntaxError):
        decoder.feed(b"\0")


def test_no_nul_is_late_after_the_next_frame() -> None:
    decoder = Decoder()
    assert feed_message(Decoder.feed, decoder, BEGIN) == [BEGUN]
    assert decoder.feed(BEGIN + b"\0\0") == [BEGUN]
    with pytest.raises(StompSyntaxError):
        decoder.feed(b"")


def test_a_body_where_none_may_be_is_refused_at_the_messages_end() -> None:
    decoder = Decoder()
    assert decoder.feed(BEGIN + b"{}") == []
    with pytest.raises(StompSyntaxError, match="BEGIN has no body"):
        decoder.end_of_message()
    assert decoder.buffered == 0
    with pytest.raises(StompSyntaxError, match="BEGIN has no body"):
        decoder.end_of_message()
    with pytest.raises(StompSyntaxError, match="BEGIN has no body"):
        decoder.feed(b"\0" + BEGIN)


@both_ways
def test_an_open_frame_followed_by_endless_line_ends_stays_in_its_limit(feed: Feed) -> None:
    decoder = Decoder(StompLimits(max_frame_bytes=64))
    assert feed_message(feed, decoder, SEND + b"{") == []
    with pytest.raises(FrameTooLargeError):
        feed(decoder, b"\n" * 64)
    assert decoder.buffered == 0


def test_an_error_in_what_follows_an_open_frame_comes_after_it() -> None:
    decoder = Decoder()
    assert feed_message(Decoder.feed, decoder, SEND + b"hello") == []
    assert decoder.feed(b"BEGIN\nno header\n") == [sent(b"hello")]
    with pytest.raises(StompSyntaxError, match="no header"):
        decoder.end_of_message()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    data=st.data(),
    bodies=st.lists(st.one_of(st.dictionaries(st.text(), JSON), st.lists(JSON)), min_size=1, max_size=4),
    indent=st.sampled_from([None, 1]),
)
def test_json_without_a_length_is_whole_in_any_cut_with_and_without_nul(
    data: st.DataObject, bodies: list[object], indent: int | None
) -> None:
    decoder = Decoder()
    for body in (json.dumps(body, indent=indent, ensure_ascii=False).encode() for body in bodies):
        received: list[object] = []
        for piece in data.draw(pieces(SEND + body + data.draw(st.sampled_from([b"", b"\0"])))):
            received += feed_message(Decoder.feed, decoder, piece)
        assert received == [sent(body)]
        assert decoder.buffered == 0
