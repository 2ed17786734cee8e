import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chathttp.stomp.json_extent import JsonExtent
from tests.chathttp.stomp.strategies import pieces


def complete(*read: bytes) -> bool:
    extent = JsonExtent()
    for piece in read:
        extent.read(piece)
    return extent.complete


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b' \r\n\t{"a":[{"b":"]}"}]} \n', rb'{"a":"\"}\\"}', b'["\\\\",{"{":"}"}]', b'{"a":1}']
)
def test_a_whole_object_or_array_is_complete(text: bytes) -> None:
    assert complete(text)
    assert complete(*(bytes((octet,)) for octet in text))


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"{", b'{"a":"}', rb'{"a":"}\"', b"1", b'"{}"', b"hello", b"{}x", b"{}{}", b"{}]", b"x{}", b"}{"],
)
def test_all_else_is_not(text: bytes) -> None:
    assert not complete(text)
    assert not complete(*(bytes((octet,)) for octet in text))


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(alphabet='{}[]"\\a\n', max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@settings(deadline=None)
@given(data=st.data(), value=st.one_of(st.lists(VALUES), st.dictionaries(st.text(), VALUES)))
def test_of_all_prefixes_only_the_whole_text_is_complete(data: st.DataObject, value: object) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode()
    assert complete(*data.draw(pieces(text)))
    assert not any(complete(text[:end]) for end in range(len(text)))
