import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.errors import ErrorCode
from chathttp.stomp.frame import Version
from chathttp.stomp.server_frames import connected
from chatload.worker.server_frames import (
    CLOSE,
    PING,
    TEXT,
    Connected,
    Delivered,
    FrameSplitter,
    ProtocolError,
    Receipted,
    Refused,
    Types,
    read_stomp,
)
from tests.chatload import server_bytes


def server_frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    first = (0x80 if final else 0) | opcode
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def fragments(payload: bytes, cuts: list[int]) -> bytes:
    """One text message in several WebSocket frames, with a ping between each two."""
    places = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    parts = [payload[start:stop] for start, stop in itertools.pairwise(places)]
    out = [server_frame(0 if n else 1, part, final=n == len(parts) - 1) for n, part in enumerate(parts)]
    return server_frame(PING, b"p").join(out)


payloads = st.one_of(st.binary(max_size=200), st.integers(0, 70_000).map(lambda size: b"z" * size))
messages = st.lists(
    st.one_of(
        payloads.map(lambda p: (server_frame(TEXT, p), [(TEXT, p)])),
        st.binary(max_size=125).map(lambda p: (server_frame(PING, p), [(PING, p)])),
        st.tuples(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=4)).map(
            lambda each: (fragments(*each), [(PING, b"p")] * len(each[1]) + [(TEXT, each[0])])
        ),
    ),
    max_size=6,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(bounds)]


@given(messages, st.lists(st.integers(0, 200_000), max_size=12))
def test_any_cut_of_the_stream_gives_the_same_frames(
    sent: list[tuple[bytes, list[tuple[int, bytes]]]], places: list[int]
) -> None:
    splitter = FrameSplitter()
    stream = b"".join(data for data, _ in sent)
    found = [frame for piece in cut(stream, places) for frame in splitter.feed(piece)]
    assert found == [frame for _, frames in sent for frame in frames]
    assert splitter.between_frames


def test_byte_for_byte_is_a_cut_too() -> None:
    stream = server_frame(TEXT, b"a" * 300) + server_frame(CLOSE, b"\x03\xe8") + server_frame(TEXT, b"b" * 70_000)
    splitter = FrameSplitter()
    found = [frame for byte in stream for frame in splitter.feed(bytes([byte]))]
    assert found == [(TEXT, b"a" * 300), (CLOSE, b"\x03\xe8"), (TEXT, b"b" * 70_000)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x81\x85\0\0\0\0hello", id="masked"),
        pytest.param(b"\x80\x00", id="continuation of nothing"),
        pytest.param(b"\x01\x01a\x81\x01b", id="message within a message"),
        pytest.param(b"\x83\x00", id="unknown opcode"),
        pytest.param(b"\x09\x00", id="fragmented ping"),
        pytest.param(b"\x81\x7f" + b"\xff" * 8, id="endless"),
        pytest.param(b"HTTP/1.1 200 OK", id="no WebSocket"),
    ],
)
def test_what_is_no_server_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameSplitter().feed(data)


def test_created_message_is_its_number_and_key() -> None:
    assert read_stomp(server_bytes.message(7, "run.1.2.3")) == [Delivered(7, b"run.1.2.3", False)]
    assert read_stomp(server_bytes.message(7, None)) == [Delivered(7, b"", False)]
    assert read_stomp(server_bytes.message(8, "k", truncated=True)) == [Delivered(8, b"k", True)]


def test_text_that_looks_like_what_is_searched_is_not_taken_for_it() -> None:
    text = r"\nseq:99\n \"clientMessageId\":\"wrong\""
    assert read_stomp(server_bytes.message(7, "right", text)) == [Delivered(7, b"right", False)]


def test_change_of_a_message_is_no_delivery() -> None:
    assert read_stomp(server_bytes.message(7, "k", event="updated")) == []


def test_other_frames_are_read_for_what_matters() -> None:
    assert read_stomp(server_bytes.typing("u1", starts=True)) == [Types(b"u1", True)]
    assert read_stomp(server_bytes.typing("u1", starts=False)) == [Types(b"u1", False)]
    assert read_stomp(server_bytes.message_receipt("12", 5)) == [Receipted(b"12", 5)]
    assert read_stomp(server_bytes.plain_receipt("m")) == [Receipted(b"m", 0)]
    assert read_stomp(connected(Version.V12)) == [Connected()]
    assert read_stomp(server_bytes.refusal("RATE_LIMITED", "4")) == [Refused("RATE_LIMITED", b"4", False)]
    assert read_stomp(server_bytes.refusal("FORBIDDEN", None)) == [Refused("FORBIDDEN", b"", False)]
    assert read_stomp(server_bytes.error_frame(ErrorCode.TOKEN_EXPIRED)) == [Refused("TOKEN_EXPIRED", b"", True)]


def test_heart_beats_are_nothing_and_several_frames_may_share_a_message() -> None:
    assert read_stomp(b"\n") == []
    both = server_bytes.message_receipt("1", 5) + b"\n" + server_bytes.message(5, "k")
    assert read_stomp(both) == [Receipted(b"1", 5), Delivered(5, b"k", False)]


@pytest.mark.parametrize("payload", [b"MESSAGE\nsubscription:m\0", b"HELLO\n\n\0", b"MESSAGE\nsubscription:x\n\n{}\0"])
def test_what_is_no_frame_of_ours_is_an_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_stomp(payload)
