"""Who is mentioned in a text, as `@` and the name of a participant."""

import unicodedata
from collections.abc import Mapping
from typing import Final
from uuid import UUID

MAX_MENTIONS: Final = 100
"""How many `@` of one text are looked at."""


class Mentionable:
    """The names of a conversation's members, to be found in texts.

    A mention is an `@` that does not stand within a word (an e-mail address is none), followed by a whole name, in any
    case; of several names that fit the longest counts, and all members who bear it. Names may have spaces.
    """

    __slots__ = ("_lengths", "_users")

    def __init__(self, names: Mapping[UUID, str]) -> None:
        self._users: dict[str, set[UUID]] = {}
        for user_id, name in names.items():
            folded = _fold(name)
            if folded:
                self._users.setdefault(folded, set()).add(user_id)
        self._lengths = sorted({len(name) for name in self._users}, reverse=True)

    def find(self, text: str) -> set[UUID]:
        """The members whom `text` mentions."""
        found: set[UUID] = set()
        if "@" not in text:
            return found
        folded = _fold(text)
        at = folded.find("@")
        for _ in range(MAX_MENTIONS):
            if at < 0:
                break
            if at == 0 or not _is_word(folded[at - 1]):
                found |= self._named(folded, at + 1)
            at = folded.find("@", at + 1)
        return found

    def _named(self, folded: str, start: int) -> set[UUID]:
        for length in self._lengths:
            end = start + length
            users = self._users.get(folded[start:end])
            if users is not None and (end >= len(folded) or not _is_word(folded[end])):
                return users
        return set()


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
