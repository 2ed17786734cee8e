import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chathttp.stomp.codec import HEART_BEAT, HEART_BEAT_BYTES, Decoder, encode
from chathttp.stomp.frame import BODY_COMMANDS, Frame, Version
from tests.chathttp.stomp.strategies import frames, pieces, versions


@pytest.mark.parametrize(
    ("version", "value", "on_the_wire"),
    [
        (Version.V10, "a:b\\nc", b"a:b\\nc"),
        (Version.V11, "a:b\\c\nd", b"a\\cb\\\\c\\nd"),
        (Version.V12, "a:b\\c\nd\r", b"a\\cb\\\\c\\nd\\r"),
    ],
)
def test_header_values_are_escaped_as_their_version_has_it(version: Version, value: str, on_the_wire: bytes) -> None:
    octets = encode(Frame.of("SEND", {"destination": value}), version)
    assert octets == b"SEND\ndestination:" + on_the_wire + b"\n\n\0"
    assert Decoder(version=version).feed(octets) == [Frame.of("SEND", {"destination": value})]


def test_header_names_are_escaped_too() -> None:
    assert encode(Frame.of("SEND", {"a:b\n": "c"}), Version.V12) == b"SEND\na\\cb\\n:c\n\n\0"


@pytest.mark.parametrize("command", ["CONNECT", "CONNECTED"])
@pytest.mark.parametrize("version", list(Version))
def test_connect_and_connected_are_never_escaped(command: str, version: Version) -> None:
    frame = Frame.of(command, {"passcode": "a:\\n\\\\b"})
    octets = encode(frame, version)
    assert octets == command.encode() + b"\npasscode:a:\\n\\\\b\n\n\0"
    assert Decoder(version=version).feed(octets) == [frame]


def test_a_body_gets_a_content_length_and_no_body_none() -> None:
    assert encode(Frame.of("SEND", {"destination": "/x"}, b"\0\xff"), Version.V12) == (
        b"SEND\ndestination:/x\ncontent-length:2\n\n\0\xff\0"
    )
    assert encode(Frame.of("SEND", {"destination": "/x"}), Version.V12) == b"SEND\ndestination:/x\n\n\0"


def test_a_right_content_length_is_kept_where_it_stands() -> None:
    frame = Frame.of("SEND", {"content-length": "2", "destination": "/x"}, b"{}")
    assert encode(frame, Version.V12) == b"SEND\ncontent-length:2\ndestination:/x\n\n{}\0"


@pytest.mark.parametrize(
    ("frame", "version"),
    [
        (Frame.of("PUBLISH", {}), Version.V12),
        (Frame.of("SUBSCRIBE", {}, b"x"), Version.V12),
        (Frame.of("SEND", {"content-length": "3"}, b"xx"), Version.V12),
        (Frame.of("SEND", {"content-length": "0"}, b"xx"), Version.V12),
        (Frame.of("SEND", {"": "x"}), Version.V12),
        (Frame.of("SEND", {"a": "nul\0"}), Version.V12),
        (Frame.of("SEND", {"nul\0": "a"}), Version.V12),
        (Frame.of("SEND", {"a": "cr\r"}), Version.V11),
        (Frame.of("SEND", {"a": "cr\r"}), Version.V10),
        (Frame.of("SEND", {"a": "lf\n"}), Version.V10),
        (Frame.of("SEND", {"a:b": "c"}), Version.V10),
        (Frame.of("SEND", {"a": " c"}), Version.V10),
        (Frame.of("SEND", {"a ": "c"}), Version.V10),
        (Frame.of("CONNECT", {"a": "lf\n"}), Version.V12),
        (Frame.of("CONNECT", {"a:b": "c"}), Version.V12),
        (Frame.of("CONNECT", {"": "c"}), Version.V12),
    ],
)
def test_what_a_version_cannot_express_is_refused(frame: Frame, version: Version) -> None:
    with pytest.raises(ValueError):
        encode(frame, version)


def test_the_first_of_a_repeated_header_counts() -> None:
    frame = Frame("SEND", (("a", "first"), ("a", "second")))
    assert frame.header("a") == "first"
    assert frame.header("b") is None
    assert Decoder().feed(encode(frame, Version.V12)) == [frame]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), version=versions)
def test_decoding_gives_back_what_was_encoded_in_any_cut(data: st.DataObject, version: Version) -> None:
    sent = data.draw(st.lists(frames(version), min_size=1, max_size=4))
    octets = HEART_BEAT_BYTES.join(encode(frame, version) for frame in sent)
    decoder = Decoder(version=version)
    received = [item for piece in data.draw(pieces(octets)) for item in decoder.feed(piece)]
    expected: list[object] = [HEART_BEAT] * (2 * len(sent) - 1)
    expected[::2] = sent
    assert received == expected
    assert decoder.buffered == 0


@pytest.mark.contract("several frames, split frames and a missing NUL")
@settings(deadline=None, max_examples=60)
@given(data=st.data(), version=versions)
def test_any_cut_may_also_be_the_end_of_a_websocket_message(data: st.DataObject, version: Version) -> None:
    sent = data.draw(st.lists(frames(version), min_size=1, max_size=4))
    decoder = Decoder(version=version)
    received: list[object] = []
    for piece in data.draw(pieces(b"".join(encode(frame, version) for frame in sent))):
        received += decoder.feed(piece)
        received += decoder.end_of_message()
    assert received == sent
    assert decoder.buffered == 0


@pytest.mark.contract("several frames, split frames and a missing NUL")
@settings(deadline=None, max_examples=60)
@given(data=st.data(), version=versions)
def test_a_message_may_lack_the_final_nul(data: st.DataObject, version: Version) -> None:
    decoder = Decoder(version=version)
    for frame in data.draw(st.lists(frames(version), min_size=1, max_size=4)):
        octets = encode(frame, version)
        assume(frame.body or frame.command not in BODY_COMMANDS)
        received = decoder.feed(octets if data.draw(st.booleans()) else octets[:-1])
        received += decoder.end_of_message()
        assert received == [frame]
