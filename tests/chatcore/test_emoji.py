"""One emoji and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcore.emoji import MAX_EMOJI, check_emoji
from chatcore.errors import ChatError

GOOD = ["👍", "👍🏽", "❤", "❤️", "🇩🇪", "1️⃣", "#⃣", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩🏻‍❤️‍💋‍👨🏼", "🏳️‍🌈", "🫠", "☺️", "©️"]
BAD = [
    "",
    "a",
    "1",
    "#",
    "👍👍",
    "👍 ",
    " 👍",
    "❤❤",
    "🇩",
    "👍a",
    "\u200d",
    "\ufe0f",
    "👍\u200d",
    ":+1:",
    "e\u0301",
    "<3",
    "\x00",
]


@pytest.mark.parametrize("emoji", GOOD)
def test_an_emoji_is_one(emoji: str) -> None:
    check_emoji(emoji)


@pytest.mark.parametrize("text", BAD)
def test_all_else_is_none(text: str) -> None:
    with pytest.raises(ChatError) as refusal:
        check_emoji(text)
    assert refusal.value.details is not None
    assert set(refusal.value.details) == {"emoji"}


def test_a_sequence_has_an_end() -> None:
    check_emoji("\u200d".join("👍" * (MAX_EMOJI // 2)))
    with pytest.raises(ChatError):
        check_emoji("\u200d".join("👍" * (MAX_EMOJI // 2 + 1)))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["So", "Sk", "Cn", "Co"]), min_size=1))
def test_words_are_never_one(text: str) -> None:
    if any(character.isalpha() or character.isspace() for character in text):
        with pytest.raises(ChatError):
            check_emoji(text)
