import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathttp.stomp.codec import HEART_BEAT, Decoder, StompLimits, encode
from chathttp.stomp.errors import FrameTooLargeError, StompSyntaxError
from chathttp.stomp.frame import Frame, HeartBeat, Version
from tests.chathttp.stomp.feeding import Feed, both_ways, feed_message
from tests.chathttp.stomp.strategies import frames, pieces, versions

V10, V11, V12 = Version.V10, Version.V11, Version.V12
SMALL = StompLimits(max_frame_bytes=64, max_headers=3, max_header_line_bytes=20)

GOOD: dict[str, tuple[Version | None, bytes, list[Frame | HeartBeat]]] = {
    "no headers, no body": (V12, b"DISCONNECT\n\n\0", [Frame("DISCONNECT")]),
    "CR LF everywhere": (
        V12,
        b"\r\nSEND\r\na:b\r\n\r\nhi\r\n\0\r\n",
        [HEART_BEAT, Frame.of("SEND", {"a": "b"}, b"hi\r\n"), HEART_BEAT],
    ),
    "CR LF in 1.0": (V10, b"SEND\r\na:b\r\n\r\n\0", [Frame.of("SEND", {"a": "b"})]),
    "LF and CR LF mixed": (V12, b"SEND\na:b\r\nc:d\n\r\n\0", [Frame.of("SEND", {"a": "b", "c": "d"})]),
    "several frames": (
        V12,
        b"BEGIN\ntransaction:t\n\n\0SEND\n\nx\0\nCOMMIT\ntransaction:t\n\n\0",
        [
            Frame.of("BEGIN", {"transaction": "t"}),
            Frame("SEND", (), b"x"),
            HEART_BEAT,
            Frame.of("COMMIT", {"transaction": "t"}),
        ],
    ),
    "NULs in a body with content-length": (
        V12,
        b"SEND\ncontent-length:5\n\n\0a\0\n\0\0",
        [Frame.of("SEND", {"content-length": "5"}, b"\0a\0\n\0")],
    ),
    "content-length of nothing": (V12, b"SEND\ncontent-length:0\n\n\0", [Frame.of("SEND", {"content-length": "0"})]),
    "the first content-length counts": (
        V12,
        b"SEND\ncontent-length:1\ncontent-length:9\n\nx\0",
        [Frame("SEND", (("content-length", "1"), ("content-length", "9")), b"x")],
    ),
    "a space before the content-length": (
        V12,
        b"SEND\ncontent-length: 1\n\nx\0",
        [Frame.of("SEND", {"content-length": " 1"}, b"x")],
    ),
    "a body of line ends on a command without body": (
        V12,
        b"CONNECT\na:b\n\n\r\n\n\0",
        [Frame.of("CONNECT", {"a": "b"})],
    ),
    "an empty header value": (V12, b"SEND\na:\n\n\0", [Frame.of("SEND", {"a": ""})]),
    "a colon in a value": (V12, b"SEND\na:b:c\n\n\0", [Frame.of("SEND", {"a": "b:c"})]),
    "escapes of 1.2": (V12, b"SEND\na\\c:\\\\n\\n\\r\\c\n\n\0", [Frame.of("SEND", {"a:": "\\n\n\r:"})]),
    "escapes of 1.1": (V11, b"SEND\na:\\\\\\n\\c\n\n\0", [Frame.of("SEND", {"a": "\\\n:"})]),
    "no escapes in 1.0": (V10, b"SEND\na:\\n\\t\n\n\0", [Frame.of("SEND", {"a": "\\n\\t"})]),
    "white space is part of the text": (V12, b"SEND\na : b \n\n\0", [Frame.of("SEND", {"a ": " b "})]),
    "white space is trimmed in 1.0": (V10, b"SEND\na : b\t\n\n\0", [Frame.of("SEND", {"a": "b"})]),
    "undefined escapes before the negotiation": (
        None,
        b"STOMP\na:\\t\\n\\\n\n\0CONNECT\na:\\n\n\n\0",
        [Frame.of("STOMP", {"a": "\\t\n\\"}), Frame.of("CONNECT", {"a": "\\n"})],
    ),
    "UTF-8": (V12, "SEND\nà:你好👋\n\n你好\0".encode(), [Frame.of("SEND", {"à": "你好👋"}, "你好".encode())]),
    "a server's frames": (
        V12,
        b"CONNECTED\nversion:1.2\n\n\0RECEIPT\nreceipt-id:1\n\n\0ERROR\nmessage:x\n\n\0MESSAGE\n\n{}\0",
        [
            Frame.of("CONNECTED", {"version": "1.2"}),
            Frame.of("RECEIPT", {"receipt-id": "1"}),
            Frame.of("ERROR", {"message": "x"}),
            Frame("MESSAGE", (), b"{}"),
        ],
    ),
    "unfinished": (V12, b"SEND\na:b\n\nbody", []),
}

BAD: dict[str, tuple[Version, bytes]] = {
    "an unknown command": (V12, b"HELLO\n\n\0"),
    "a command in lower case": (V12, b"send\n\n\0"),
    "HTTP": (V12, b"GET / HTTP/1.1\r\n\r\n"),
    "a long line that is no command": (V12, b"A" * 14),
    "a stray NUL": (V12, b"\0"),
    "a stray NUL between frames": (V12, b"SEND\n\n\0\0"),
    "a lone CR between frames": (V12, b"\rSEND\n\n\0"),
    "a header without colon": (V12, b"SEND\nabc\n\n\0"),
    "a header without name": (V12, b"SEND\n:abc\n\n\0"),
    "a blank header name in 1.0": (V10, b"SEND\n :abc\n\n\0"),
    "a NUL among the headers": (V12, b"SEND\na:b\0\n\n\0"),
    "a CR inside a header": (V12, b"SEND\na:b\rc\n\n\0"),
    "two CRs at a line's end": (V12, b"SEND\na:b\r\r\n\n\0"),
    "a header that is no UTF-8": (V12, b"SEND\na:\xff\n\n\0"),
    "the wrong word after a right beginning": (V12, b"SENX"),
    "an undefined escape": (V12, b"SEND\na:\\t\n\n\0"),
    "an escape cut short": (V12, b"SEND\na:b\\\n\n\0"),
    "an escape of 1.2 in 1.1": (V11, b"SEND\na:\\r\n\n\0"),
    "a content-length that is no number": (V12, b"SEND\ncontent-length:x\n\n\0"),
    "a negative content-length": (V12, b"SEND\ncontent-length:-1\n\n\0"),
    "a content-length in other digits": (V12, "SEND\ncontent-length:٣\n\nabc\0".encode()),
    "an empty content-length": (V12, b"SEND\ncontent-length:\n\n\0"),
    "a content-length that is too small": (V12, b"SEND\ncontent-length:2\n\nabc\0"),
    "a body on a command without body": (V12, b"SUBSCRIBE\nid:1\n\nbody\0"),
}

TOO_LARGE: dict[str, bytes] = {
    "headers": b"SEND\na:1\nb:1\nc:1\nd:1\n",
    "a header line": b"SEND\na:" + b"x" * 19 + b"\n",
    "an endless header line": b"SEND\na:" + b"x" * 19,
    "a header line before its CR LF": b"SEND\na:" + b"x" * 19 + b"\r",
    "an announced body": b"SEND\ncontent-length:40\n\n",
    "an unfinished body": b"SEND\n\n" + b"x" * 59,
    "a body with its NUL": b"SEND\n\n" + b"x" * 58 + b"\0",
    "headers and body together": b"SEND\na:" + b"x" * 18 + b"\nb:" + b"x" * 18 + b"\n\n" + b"x" * 17,
}


def without_repeats(items: list[Frame | HeartBeat]) -> list[Frame | HeartBeat]:
    """A run of line ends is one heart-beat when it comes together and several when it does not."""
    return [item for index, item in enumerate(items) if item != HEART_BEAT or items[index - 1 : index] != [HEART_BEAT]]


@pytest.mark.parametrize("name", GOOD)
@both_ways
def test_frames_come_out_at_once_and_octet_by_octet(name: str, feed: Feed) -> None:
    version, octets, expected = GOOD[name]
    assert without_repeats(feed(Decoder(version=version), octets)) == expected


@pytest.mark.parametrize("name", BAD)
@both_ways
def test_malformed_octets_are_refused_for_good(name: str, feed: Feed) -> None:
    version, octets = BAD[name]
    decoder = Decoder(version=version)
    with pytest.raises(StompSyntaxError) as refusal:
        feed_message(feed, decoder, octets)
    assert not isinstance(refusal.value, FrameTooLargeError)
    assert str(refusal.value).isprintable()
    for _ in range(2):
        with pytest.raises(StompSyntaxError, match=re.escape(str(refusal.value))):
            decoder.feed(b"SEND\n\n\0")
        with pytest.raises(StompSyntaxError):
            decoder.end_of_message()
    assert decoder.buffered == 0


@pytest.mark.contract("limit frame of 128 KiB", "limit 64 headers", "limit header line of 8 KiB")
@pytest.mark.parametrize("name", TOO_LARGE)
@both_ways
def test_a_limit_holds_while_the_octets_come(name: str, feed: Feed) -> None:
    decoder = Decoder(SMALL)
    with pytest.raises(FrameTooLargeError):
        feed(decoder, TOO_LARGE[name])
    assert decoder.buffered == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"SEND\na:1\nb:1\nc:1\n\n\0",
        b"SEND\na:" + b"x" * 18 + b"\n\n\0",
        b"SEND\r\na:" + b"x" * 18 + b"\r\n\r\n\0",
        b"SEND\ncontent-length:39\n\n" + b"x" * 39 + b"\0",
        b"SEND\n\n" + b"x" * 57 + b"\0",
    ],
)
@both_ways
def test_exactly_at_a_limit_is_within_it(octets: bytes, feed: Feed) -> None:
    assert len(feed(Decoder(SMALL), octets * 3)) == 3


def test_a_content_length_of_thousands_of_digits_is_too_large() -> None:
    with pytest.raises(FrameTooLargeError):
        Decoder().feed(b"SEND\ncontent-length:" + b"9" * 5_000 + b"\n\n")


@pytest.mark.contract("limit frame of 128 KiB", "limit 64 headers", "limit header line of 8 KiB")
def test_the_defaults_are_the_contracts() -> None:
    assert StompLimits() == StompLimits(max_frame_bytes=131_072, max_headers=64, max_header_line_bytes=8_192)


def test_frames_before_an_error_are_given_and_then_the_error() -> None:
    decoder = Decoder()
    assert decoder.feed(b"BEGIN\n\n\0garbage\n") == [Frame("BEGIN")]
    with pytest.raises(StompSyntaxError, match="garbage"):
        decoder.end_of_message()


def test_a_new_version_counts_from_the_next_frame() -> None:
    decoder = Decoder()
    octets = b"SEND\na:\\r\n\n\0"
    assert decoder.feed(octets) == [Frame.of("SEND", {"a": "\r"})]
    decoder.version = Version.V10
    assert decoder.feed(octets) == [Frame.of("SEND", {"a": "\\r"})]
    decoder.version = Version.V11
    with pytest.raises(StompSyntaxError):
        decoder.feed(octets)


def test_an_error_message_quotes_little_of_what_came() -> None:
    with pytest.raises(StompSyntaxError) as refusal:
        Decoder().feed(b"SEND\n" + "ü\x1b".encode() * 2_000 + b"\n")
    assert len(str(refusal.value)) < 250
    assert str(refusal.value).isascii()


NOISE = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"SEND\n", b"CONNECT\n", b"\n\n", b"\r\n", b"\0", b"\n\n\0", b"content-length:3\n", b'{"a":']),
        st.sampled_from([b"a:b\n", b"x" * 30, b'{"a":"\\"}"}', b"SEND\n\n{}", b"\\c:\\n\n"]),
    ),
    max_size=12,
).map(b"".join)


def outcome(octets: list[bytes], version: Version) -> tuple[list[Frame | HeartBeat], bool]:
    """Frames, and whether the decoder is dead; also checks the bound on memory after every call."""
    decoder, dead = Decoder(SMALL, version), False
    items: list[Frame | HeartBeat] = []
    for piece in octets:
        try:
            items += decoder.feed(piece)
        except StompSyntaxError:
            dead = True
        assert decoder.buffered <= SMALL.max_frame_bytes
    try:
        decoder.feed(b"")
    except StompSyntaxError:
        dead = True
    return [item for item in items if item != HEART_BEAT], dead


@settings(deadline=None, max_examples=300)
@given(data=st.data(), version=versions, octets=NOISE)
def test_any_octets_in_any_cut_give_the_same_frames_or_the_same_refusal(
    data: st.DataObject, version: Version, octets: bytes
) -> None:
    at_once = outcome([octets], version)
    assert outcome(data.draw(pieces(octets)), version) == at_once
    assert outcome([bytes((octet,)) for octet in octets], version) == at_once


@settings(deadline=None, max_examples=300)
@given(data=st.data(), octets=st.one_of(NOISE, st.binary(max_size=300)))
def test_any_octets_in_any_messages_raise_nothing_but_a_syntax_error(data: st.DataObject, octets: bytes) -> None:
    decoder = Decoder(SMALL)
    with contextlib.suppress(StompSyntaxError):
        for piece in data.draw(pieces(octets)):
            decoder.feed(piece)
            assert decoder.buffered <= SMALL.max_frame_bytes + len("UNSUBSCRIBE\r")
            if data.draw(st.booleans()):
                decoder.end_of_message()


@settings(deadline=None, max_examples=60)
@given(data=st.data(), version=versions)
def test_a_frame_with_some_octets_changed_is_a_frame_or_a_syntax_error(data: st.DataObject, version: Version) -> None:
    octets = bytearray(encode(data.draw(frames(version)), version))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder(version=version)
    with contextlib.suppress(StompSyntaxError):
        for item in [*decoder.feed(bytes(octets)), *decoder.end_of_message()]:
            assert item == HEART_BEAT or (isinstance(item, Frame) and encode(item, version))
