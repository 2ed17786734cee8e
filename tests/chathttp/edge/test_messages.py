"""A WebSocket's bytes to messages: the same however they are cut, and within the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chathttp.edge.messages import MAX_FRAGMENTS, Ending, Item, MessageReader, Ping
from tests.chathttp.edge.edge_kit import BINARY, CLOSE, PING, PONG, TEXT, client_frame

CONTINUATION = 0
LIMIT = 2_000

messages = st.one_of(st.text(max_size=200), st.binary(max_size=200))
controls = st.binary(max_size=125).flatmap(lambda payload: st.sampled_from([Ping(payload), payload]))
endings = st.one_of(
    st.tuples(st.sampled_from([1000, 1001, 1012, 3000, 4999]), st.text(max_size=30)).map(lambda end: Ending(*end)),
    st.just(Ending(1005, "")),
    st.none(),
)


def control_frame(control: Ping | bytes) -> bytes:
    return client_frame(PING, control.payload) if isinstance(control, Ping) else client_frame(PONG, control)


def close_bytes(ending: Ending) -> bytes:
    payload = b"" if ending.code == 1005 else ending.code.to_bytes(2, "big") + ending.reason.encode()
    return client_frame(CLOSE, payload)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[Item]]:
    """What a client may send in a connection's life, and what it says."""
    wire, said = b"", list[Item]()
    for message in draw(st.lists(messages, max_size=6)):
        data = message.encode() if isinstance(message, str) else message
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
        parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for number, part in enumerate(parts):
            opcode = CONTINUATION if number else TEXT if isinstance(message, str) else BINARY
            wire += client_frame(opcode, part, fin=number == len(parts) - 1)
            if number < len(parts) - 1:
                for control in draw(st.lists(controls, max_size=2)):
                    wire += control_frame(control)
                    said += [control] if isinstance(control, Ping) else []
        said.append(message)
    ending = draw(endings)
    if ending is not None:
        wire += close_bytes(ending)
        said.append(ending)
    return wire, said


@given(conversations(), st.data())
def test_any_cut_gives_the_same_and_whenever_it_is_idle_a_new_reader_goes_on(
    conversation: tuple[bytes, list[Item]], data: st.DataObject
) -> None:
    wire, said = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=20)))
    reader = MessageReader(LIMIT)
    heard: list[Item] = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        heard += reader.feed(wire[start:end])
        if reader.idle:
            reader = MessageReader(LIMIT)
    assert heard == said


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_crash_it_and_a_breach_is_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    def ending_code(pieces: list[bytes]) -> int | None:
        reader = MessageReader(LIMIT)
        for piece in pieces:
            items = reader.feed(piece)
            if items and isinstance(items[-1], Ending):
                return items[-1].code
        return None

    points = sorted(min(cut, len(data)) for cut in cuts)
    pieces = [data[start:end] for start, end in zip([0, *points], [*points, len(data)], strict=True)]
    assert ending_code(pieces) == ending_code([data])


def test_a_reader_with_part_of_anything_is_not_idle() -> None:
    whole = client_frame(TEXT, b"hello")
    for length in range(1, len(whole)):
        reader = MessageReader(LIMIT)
        assert reader.feed(whole[:length]) == []
        assert not reader.idle
        assert reader.feed(whole[length:]) == ["hello"]
        assert reader.idle
    reader = MessageReader(LIMIT)
    reader.feed(client_frame(TEXT, b"", fin=False))
    assert not reader.idle


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (client_frame(TEXT, b"unmasked", masked=False), 1002),
        (client_frame(CONTINUATION, b"continues nothing"), 1002),
        (client_frame(TEXT, b"a", fin=False) + client_frame(TEXT, b"b"), 1002),
        (client_frame(PING, b"", fin=False), 1002),
        (client_frame(PING, b"x" * 126), 1002),
        (client_frame(0x3, b"reserved"), 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (client_frame(CLOSE, b"x"), 1002),
        (client_frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
        (client_frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
        (client_frame(TEXT, b"\xff\xfe"), 1007),
        (client_frame(TEXT, b"\xe2\x82"), 1007),
    ],
)
def test_a_breach_ends_it_after_what_came_before(data: bytes, code: int) -> None:
    items = MessageReader(LIMIT).feed(client_frame(TEXT, b"before") + data)
    assert items[0] == "before"
    assert isinstance(items[1], Ending)
    assert (len(items), items[1].code) == (2, code)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_is_bounded_before_it_is_whole(opcode: int) -> None:
    reader = MessageReader(LIMIT)
    frame = client_frame(opcode, b"x" * 1_000_000)
    assert reader.feed(frame[:1_000]) == []
    assert reader.feed(frame[1_000:2_100]) == [Ending(1009, "a message may have 2000 bytes")]


def test_the_parts_of_a_message_are_bounded() -> None:
    reader = MessageReader(LIMIT)
    assert reader.feed(client_frame(TEXT, b"", fin=False)) == []
    assert reader.feed(client_frame(CONTINUATION, b"", fin=False) * (MAX_FRAGMENTS - 1)) == []
    assert reader.feed(client_frame(CONTINUATION, b"", fin=False)) == [
        Ending(1009, "a message may have 4096 fragments")
    ]


def test_the_bounds_are_each_messages_own() -> None:
    reader = MessageReader(LIMIT)
    for _ in range(5):
        half = client_frame(BINARY, b"x" * 1000, fin=False)
        assert reader.feed(half + client_frame(CONTINUATION, b"y" * 1000)) == [b"x" * 1000 + b"y" * 1000]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, LIMIT])
def test_whole_texts_are_taken_without_a_protocol_object(size: int) -> None:
    reader = MessageReader(LIMIT)
    text = "añb"[: size % 4] + "x" * (size - len("añb"[: size % 4].encode()))
    wire = client_frame(TEXT, text.encode())
    assert reader.feed(wire * 3) == [text] * 3
    assert reader.idle


@pytest.mark.parametrize("prefix", [b"\x81\xfe\x00\x05", b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05"])
def test_a_length_that_is_not_the_shortest_is_a_breach(prefix: bytes) -> None:
    whole = client_frame(TEXT, b"hello")
    items = MessageReader(LIMIT).feed(prefix + whole[2:])
    assert [item.code for item in items if isinstance(item, Ending)] == [1002]
