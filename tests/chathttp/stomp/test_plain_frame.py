"""The short way gives what the decoder gives octet by octet, or nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chathttp.stomp.codec import Decoder, encode
from chathttp.stomp.commands import Command, Send
from chathttp.stomp.errors import StompSyntaxError
from chathttp.stomp.frame import Frame, HeartBeat, Version
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.session_state import StompServerProtocol
from tests.chathttp.stomp.feeding import feed_each, feed_message
from tests.chathttp.stomp.strategies import frames, versions

SMALL = StompLimits(max_frame_bytes=64, max_headers=3, max_header_line_bytes=20)
SEND = b"SEND\ndestination:/app/x\nreceipt:r\n\n{}\0"

_WORDS = [
    b"SEND",
    b"BEGIN",
    b"CONNECT",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b"a:b",
    b":",
    b"a:\\c",
    b"{}",
    b"SEND\ndestination:/app/x\n",
    b"destination:\n",
    b"receipt:r\n",
    b"transaction:t\n",
    b"\xc3",
    b"\xc3\xa9",
]
_LENGTHS = [b"content-length:2\n", b"content-length:02\n", b"content-length: 2\n", b"content-length:x\n"]
almost_frames = st.lists(st.sampled_from(_WORDS + _LENGTHS), max_size=12).map(b"".join)
"""Mostly broken in one way or another."""


def outcome(decoder: Decoder, message: bytes) -> list[Frame | HeartBeat] | str:
    try:
        return feed_message(feed_each, decoder, message)
    except StompSyntaxError as error:
        return str(error)


@given(almost_frames, st.one_of(versions, st.none()), st.sampled_from([StompLimits(), SMALL]))
@example(SEND, Version.V12, StompLimits())
@example(b"SEND\n\nnul\0inside\0", Version.V12, StompLimits())
@example(b"SEND\ncontent-length:3\n\na\0b\0", Version.V12, StompLimits())
@example(b"SEND\ncontent-length:9\n\nabc\0", Version.V12, StompLimits())
@example(b"SEND\na:1\nb:2\nc:3\nd:4\n\n\0", Version.V12, SMALL)
@example(b"SEND\n\n" + b"x" * 58 + b"\0", Version.V12, SMALL)
@example(b"BEGIN\n\n\n\0", Version.V12, StompLimits())
def test_what_it_takes_is_what_the_decoder_gives(message: bytes, version: Version | None, limits: StompLimits) -> None:
    frame = Decoder(limits, version).whole_message(message)
    if frame is not None:
        assert outcome(Decoder(limits, version), message) == [frame]


@given(st.sampled_from([Version.V11, Version.V12]).flatmap(lambda v: st.tuples(st.just(v), frames(v))))
def test_it_takes_every_good_frame_that_needs_no_escape(case: tuple[Version, Frame]) -> None:
    version, frame = case
    message = encode(frame, version)
    taken = Decoder(version=version).whole_message(message)
    head = message[: message.index(b"\n\n")]
    assert taken == (None if b"\\" in head or b"\r" in head else frame)


@pytest.mark.parametrize("version", [None, Version.V10])
def test_it_leaves_versions_with_rules_of_their_own_to_the_decoder(version: Version | None) -> None:
    assert Decoder(version=version).whole_message(SEND) is None


@pytest.mark.parametrize(
    "before",
    [b"SE", b"SEND\n", b"SEND\n\nnot JSON", b"SEND\ncontent-length:99\n\nx", b"BEGIN\na:b\n\n"],
    ids=["in a command", "in headers", "an open end", "in a body", "a late NUL may come"],
)
def test_after_a_message_that_left_something_open_it_takes_nothing(before: bytes) -> None:
    decoder = Decoder(version=Version.V12)
    feed_message(feed_each, decoder, before)
    assert decoder.whole_message(SEND) is None


def test_after_an_error_it_takes_nothing() -> None:
    decoder = Decoder(version=Version.V12)
    with pytest.raises(StompSyntaxError):
        decoder.feed(b"NONSENSE\n")
    assert decoder.whole_message(SEND) is None


def test_the_decoder_goes_on_after_it_as_if_nothing_had_come() -> None:
    decoder = Decoder(version=Version.V12)
    assert decoder.whole_message(SEND) is not None
    assert feed_message(feed_each, decoder, SEND) == feed_message(feed_each, Decoder(version=Version.V12), SEND)
    assert decoder.whole_message(SEND) is not None


def asked(message: bytes, version: Version, limits: StompLimits) -> Command | str | None:
    """What a connected client asks for with it, in the long way."""
    protocol = StompServerProtocol()
    protocol.receive(Frame.of("CONNECT", {"accept-version": version, "host": "h"}))
    try:
        (frame,) = feed_message(feed_each, Decoder(limits, version), message)
        assert isinstance(frame, Frame)
        return protocol.receive(frame)
    except StompSyntaxError as error:
        return str(error)


@given(almost_frames, versions, st.sampled_from([StompLimits(), SMALL]))
@example(SEND, Version.V12, StompLimits())
@example(b"SEND\ndestination:/app/x\ncontent-length:2\n\n{}\0", Version.V11, StompLimits())
@example(b"SEND\ndestination:/app/x\ncontent-length:2\n\n{}}\0", Version.V11, StompLimits())
@example(b"SEND\ndestination:/app/x\nb:2\nc:3\nd:4\n\n\0", Version.V12, SMALL)
@example(b"SEND\ndestination:/app/x\n\n" + b"x" * 40 + b"\0", Version.V12, SMALL)
@example(b"SEND\ndestination:/app/x\n\nnul\0inside\0", Version.V12, StompLimits())
@example(b"SEND\n\n{}\0", Version.V12, StompLimits())
def test_a_send_that_it_takes_is_what_the_protocol_gives(message: bytes, version: Version, limits: StompLimits) -> None:
    send = Decoder(limits, version).whole_send(message)
    if send is not None:
        assert asked(message, version, limits) == send


@pytest.mark.parametrize("version", [Version.V11, Version.V12])
def test_it_takes_the_sends_that_clients_send(version: Version) -> None:
    assert Decoder(StompLimits(), version).whole_send(SEND) == Send("/app/x", b"{}", "r")
    length = b"SEND\ncontent-length:2\ndestination:/app/x\ncontent-type:application/json\n\n{}\0"
    assert Decoder(StompLimits(), version).whole_send(length) == Send("/app/x", b"{}", None)


@pytest.mark.parametrize(
    "message",
    [
        SEND.replace(b"receipt:r", b"transaction:t"),
        SEND.replace(b"receipt:r", b"destination:/app/y"),
        SEND.replace(b"receipt:r", b"a\\c:b"),
        SEND.replace(b"SEND", b"ACK"),
        SEND + b"\n",
    ],
)
def test_what_is_not_plainly_one_send_is_left_to_the_decoder(message: bytes) -> None:
    assert Decoder(StompLimits(), Version.V12).whole_send(message) is None


def test_in_the_middle_of_a_frame_nothing_is_a_send() -> None:
    decoder = Decoder(StompLimits(), Version.V12)
    decoder.feed(b"SEND\ndestination:/app/x\n\nab")
    assert decoder.whole_send(SEND) is None
