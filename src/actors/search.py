"""The port for full-text search of messages."""

from typing import Protocol
from uuid import UUID

from attrs import frozen

from chatcore.excerpt import Fragment
from chatcore.model import Message


@frozen
class SearchCursor:
    """Position among the hits of one query: rank, then time as microseconds since 1970, ties by id."""

    rank: float
    created_us: int
    message_id: UUID


@frozen
class SearchHit:
    """`read_seq` is the user's stored read mark in the message's conversation."""

    message: Message
    excerpt: tuple[Fragment, ...]
    read_seq: int
    cursor: SearchCursor


class MessageSearch(Protocol):
    """Full text of messages, in the words of no language: nothing is stemmed, case does not matter.

    The query is PostgreSQL's web search form: words that must all be there, `"a phrase"`, `or`, `-without`. Its last
    word may be the beginning of one, unless white space or a quotation mark ends it.

    Every method may raise `ChatError` with `UNAVAILABLE` while the database is away or too slow.
    """

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
        """Hits in the conversations of the user (in one of them, if given), best first, the newer first of equals.

        Of the messages that match, the newest `depth` are ranked. A query without a word finds nothing, and so does
        a conversation that the user is no member of. Tombstones are not found.
        Errors: `VALIDATION_ERROR` (a query that the database cannot hold).
        """
        ...
