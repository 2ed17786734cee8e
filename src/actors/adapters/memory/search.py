"""In-memory twin of `MessageSearch`."""

import math
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from attrs import frozen

from actors.adapters.memory.state import ChatState
from actors.search import SearchCursor, SearchHit
from chatcore.excerpt import excerpt
from chatcore.model import Message
from chatcore.validation import check_storable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
_FLOAT4: Final = struct.Struct(">f")
_WORD: Final = re.compile(r"\w+")


class MemoryMessageSearch:
    """`MessageSearch` over a `ChatState`. Its ranks are its own; which messages match is not."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def search(
        self,
        user_id: UUID,
        query: str,
        *,
        conversation_id: UUID | None,
        after: SearchCursor | None,
        limit: int,
        depth: int,
    ) -> list[SearchHit]:
        await self._state.faults.before("search")
        check_storable("q", query)
        alternatives = list(_alternatives(query.lower()))
        mine = [room for room in self._state.rooms_of(user_id) if conversation_id in (None, room.id)]
        found = [
            message
            for room in mine
            for message in room.messages.values()
            if any(each.matches(_words(message.text)) for each in alternatives)
        ]
        newest = sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)[:depth]
        hits = sorted((self._hit(each, alternatives, user_id) for each in newest), key=_position, reverse=True)
        return [each for each in hits if after is None or _position(each) < _place(after)][:limit]

    def _hit(self, message: Message, alternatives: "list[_AllOf]", user_id: UUID) -> SearchHit:
        words = _words(message.text)
        count = sum(each.is_in([word]) for word in words for one in alternatives for each in one.wanted)
        # As exact as the database's, so that a cursor bears all of it.
        (rank,) = _FLOAT4.unpack(_FLOAT4.pack(count / (1 + math.log(len(words)))))
        created_us = (message.created_at - _EPOCH) // timedelta(microseconds=1)
        read_seq = self._state.rooms[message.conversation_id].participants[user_id].last_read_seq
        shown = excerpt(message.text, _matches(message.text, alternatives))
        return SearchHit(self._state.present(message), shown, read_seq, SearchCursor(rank, created_us, message.id))


@frozen
class _Phrase:
    words: tuple[str, ...]
    is_beginning: bool

    def is_in(self, text: list[str]) -> bool:
        size = len(self.words)
        return any(self._fits(text[start : start + size]) for start in range(len(text) - size + 1))

    def _fits(self, found: list[str]) -> bool:
        *exact, last = self.words
        return found[:-1] == exact and (found[-1].startswith(last) if self.is_beginning else found[-1] == last)


@frozen
class _AllOf:
    wanted: tuple[_Phrase, ...]
    unwanted: tuple[_Phrase, ...]

    def matches(self, text: list[str]) -> bool:
        return all(each.is_in(text) for each in self.wanted) and not any(each.is_in(text) for each in self.unwanted)


def _alternatives(query: str) -> Iterator[_AllOf]:
    terms = list(_TERM.finditer(query))
    is_open = not (query[-1:].isspace() or query.endswith(('"', ")")))
    wanted: list[_Phrase] = []
    unwanted: list[_Phrase] = []
    for place, term in enumerate(terms):
        if term[3] == "or":
            if wanted or unwanted:
                yield _AllOf(tuple(wanted), tuple(unwanted))
            wanted, unwanted = [], []
        elif words := tuple(_words(term[2] or term[3] or "")):
            phrase = _Phrase(words, is_beginning=is_open and place == len(terms) - 1)
            (unwanted if term[1] else wanted).append(phrase)
    if wanted or unwanted:
        yield _AllOf(tuple(wanted), tuple(unwanted))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _matches(text: str, alternatives: list[_AllOf]) -> list[tuple[int, int]]:
    wanted = [phrase for one in alternatives for phrase in one.wanted]
    return [each.span() for each in _WORD.finditer(text) if any(one.is_in([each[0].lower()]) for one in wanted)]


def _place(cursor: SearchCursor) -> tuple[float, int, UUID]:
    return cursor.rank, cursor.created_us, cursor.message_id


def _position(hit: SearchHit) -> tuple[float, int, UUID]:
    return _place(hit.cursor)
