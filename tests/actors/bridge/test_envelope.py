"""Envelopes: what one node seals another opens, and nothing that comes in can do harm."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.bridge.envelope import Beat, Content, Envelopes, Farewell, Letter, Notified, PresenceTold, Traced
from actors.bridge.news import Advanced, Committed, MarksMoved, TypingMoved, WhoTypes
from actors.bridge.notices import Notices
from actors.bridge.staleness import Stale
from chatcore.model import Event, EventKind, Mark, Message

HERE, THERE = UUID(int=1), UUID(int=2**127 + 5)
AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)

numbers = st.integers(0, 2**63 - 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times = st.integers(0, 13_000_000_000_000_000).map(lambda number: EPOCH + timedelta(microseconds=number))
texts = st.text(max_size=50)
messages = st.builds(
    Message,
    id=st.uuids(),
    conversation_id=st.uuids(),
    seq=numbers,
    rev=numbers,
    created_rev=numbers,
    sender_id=st.uuids(),
    sender_name=texts,
    text=texts,
    created_at=times,
    client_message_id=st.none() | texts,
    reply_to=st.none() | st.uuids(),
    edited_at=st.none() | times,
    deleted_at=st.none() | times,
)
events = st.builds(Event, st.sampled_from(EventKind), numbers, messages)
contents: st.SearchStrategy[Content] = st.one_of(
    st.builds(Committed, numbers, st.lists(events, min_size=1, max_size=4).map(tuple)),
    st.builds(Advanced, numbers),
    st.builds(TypingMoved, st.uuids(), st.booleans()),
    st.builds(MarksMoved, st.lists(st.builds(Mark, st.uuids(), numbers, numbers), max_size=4).map(tuple)),
    st.builds(Notified, st.uuids(), st.binary(max_size=50), st.none() | numbers),
    st.builds(
        Notices,
        st.uuids(),
        st.binary(max_size=9),
        st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=48)), max_size=3).map(tuple),
        st.none() | numbers,
    ),
    st.builds(PresenceTold, st.booleans()),
    st.builds(
        Traced,
        st.uuids(),
        st.uuids(),
        st.floats(0, 4e9),
        st.floats(-10, 10),
        st.lists(st.tuples(texts, st.floats(0, 10), texts), max_size=3).map(tuple),
    ),
    st.builds(Stale, texts, st.lists(st.uuids(), max_size=3).map(tuple)),
    st.sampled_from([WhoTypes(), Beat(), Farewell()]),
)


@given(contents)
def test_another_node_reads_what_was_sealed(content: Content) -> None:
    here, there = Envelopes(HERE), Envelopes(THERE)
    assert there.open(here.seal(content)) == Letter(HERE, content)
    assert here.open_own(here.seal(content)) == content
    assert (there.unknown, there.malformed) == (0, 0)


@given(contents, st.floats(0, 4e9))
def test_when_it_was_sent_is_read_of_what_is_followed(content: Content, told_at: float) -> None:
    here, there = Envelopes(HERE), Envelopes(THERE)
    assert there.open(here.seal(content, told_at)) == Letter(HERE, content, told_at)
    assert here.open_own(here.seal(content, told_at)) == content


@given(contents)
def test_nothing_echoes(content: Content) -> None:
    here = Envelopes(HERE)
    assert here.open(here.seal(content)) is None
    assert (here.unknown, here.malformed) == (0, 0)


@given(contents, st.integers(2, 2**31), st.lists(st.none() | numbers | st.binary(max_size=8), max_size=5))
def test_a_newer_version_is_skipped_and_counted_whatever_it_has(
    content: Content, version: int, more: list[object]
) -> None:
    there = Envelopes(THERE)
    sealed: list[object] = msgspec.msgpack.decode(Envelopes(HERE).seal(content))
    assert there.open(msgspec.msgpack.encode([version, *sealed[1:], *more])) is None
    assert there.open(msgspec.msgpack.encode([version, *more])) is None
    assert (there.unknown, there.malformed) == (2, 0)


def test_an_unknown_kind_is_skipped_and_counted() -> None:
    there = Envelopes(THERE)
    assert there.open(msgspec.msgpack.encode([1, HERE.bytes, "of tomorrow", {"a": 1}])) is None
    assert (there.unknown, there.malformed) == (1, 0)


def test_a_content_with_new_fields_and_an_envelope_with_more_are_read() -> None:
    there = Envelopes(THERE)
    sealed = msgspec.msgpack.encode([1, HERE.bytes, "advanced", {"rev": 7, "why": "of tomorrow"}, "more"])
    assert there.open(sealed) == Letter(HERE, Advanced(7))


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(payload: bytes) -> None:
    there = Envelopes(THERE)
    assert there.open(payload) is None
    assert there.unknown + there.malformed == 1


@given(contents, st.data())
def test_a_torn_envelope_is_survived(content: Content, data: st.DataObject) -> None:
    there = Envelopes(THERE)
    sealed = Envelopes(HERE).seal(content)
    assert there.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))]) is None
    assert (there.unknown, there.malformed) == (0, 1)


def test_a_wrong_content_is_malformed() -> None:
    there = Envelopes(THERE)
    for content in ({}, {"rev": "seven"}, [7], None):
        assert there.open(msgspec.msgpack.encode([1, HERE.bytes, "advanced", content])) is None
    assert (there.unknown, there.malformed) == (0, 4)


V1: list[tuple[Content, str, dict[str, object]]] = [
    (Advanced(7), "advanced", {"rev": 7}),
    (TypingMoved(UUID(int=3), is_typing=True), "typing", {"user_id": UUID(int=3).bytes, "is_typing": True}),
    (WhoTypes(), "who-types", {}),
    (
        MarksMoved((Mark(UUID(int=3), 5, 6),)),
        "marks",
        {"marks": [{"user_id": UUID(int=3).bytes, "read_seq": 5, "delivered_seq": 6}]},
    ),
    (
        Notified(UUID(int=4), b"{}", 9),
        "notified",
        {"conversation_id": UUID(int=4).bytes, "body": b"{}", "seq": 9, "mention": False},
    ),
    (
        Notices(UUID(int=4), b'{"unread":', ((b"1}", UUID(int=5).bytes + UUID(int=6).bytes),), 9),
        "notices",
        {
            "conversation_id": UUID(int=4).bytes,
            "head": b'{"unread":',
            "rests": [[b"1}", UUID(int=5).bytes + UUID(int=6).bytes]],
            "seq": 9,
            "mention": False,
        },
    ),
    (PresenceTold(online=True), "presence", {"online": True}),
    (Beat(), "beat", {}),
    (Farewell(), "farewell", {}),
]


@pytest.mark.parametrize(("content", "kind", "fields"), V1)
def test_version_1_stays_as_it_is_on_the_wire(content: Content, kind: str, fields: dict[str, object]) -> None:
    """Other releases read it: who changes this raises the version."""
    assert msgspec.msgpack.decode(Envelopes(HERE).seal(content)) == [1, HERE.bytes, kind, fields]


def test_a_commit_of_version_1_is_still_read() -> None:
    message = {
        "id": UUID(int=3).bytes,
        "conversation_id": UUID(int=4).bytes,
        "seq": 5,
        "rev": 7,
        "created_rev": 6,
        "sender_id": UUID(int=8).bytes,
        "sender_name": "Ann",
        "text": "hello",
        "created_at": AT,
        "client_message_id": "c",
        "reply_to": None,
        "edited_at": AT + timedelta(seconds=1),
        "deleted_at": None,
    }
    content = {"prev_rev": 6, "events": [{"kind": "message.updated", "rev": 7, "message": message}]}
    sealed = msgspec.msgpack.encode([1, HERE.bytes, "committed", content])
    expected = Message(
        UUID(int=3), UUID(int=4), 5, 7, 6, UUID(int=8), "Ann", "hello", AT, "c", None, AT + timedelta(seconds=1), None
    )
    assert Envelopes(THERE).open(sealed) == Letter(HERE, Committed(6, (Event(EventKind.UPDATED, 7, expected),)))
