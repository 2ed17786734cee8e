"""Reads that the replica takes off the primary, each with what its caller must see in it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

import attrs
import trio
from cachetools import TTLCache

from actors.adapters.postgres.database import Database
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.queries import Queries
from actors.adapters.postgres.replica import Reason, Replica, Seen, Unused
from actors.adapters.postgres.search import PostgresMessageSearch
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.ports import ConversationCursor
from actors.search import SearchCursor, SearchHit
from chatcore.model import Conversation, Message

T = TypeVar("T")

_MOST_CHANGES: Final = 100_000

REACH: Final = """
SELECT c.id, c.rev, p.last_read_seq FROM participants p JOIN conversations c ON c.id = p.conversation_id
WHERE p.user_id = $1 AND ($2::uuid IS NULL OR p.conversation_id = $2)
"""


class ReadRouter:
    """Sends each read to the replica, or to the primary where the replica cannot answer. Without a replica all goes to
    the primary, and nothing is counted.
    """

    def __init__(self, replica: Replica | None, *, lag_limit: float) -> None:
        self.replica = replica
        self.on_replica = 0
        self.on_primary: Counter[Reason] = Counter()
        # Older changes the replica has, or it is over its limit.
        self._changed: TTLCache[UUID, bool] = TTLCache(_MOST_CHANGES, lag_limit, timer=trio.current_time)

    def profile_changed(self, user_id: UUID) -> None:
        """No `rev` tells of it, so for a moment the user reads from the primary."""
        if self.replica is not None:
            self._changed[user_id] = True

    async def route(
        self, user_id: UUID, on_replica: Callable[[Replica], Awaitable[T]], on_primary: Callable[[], Awaitable[T]]
    ) -> T:
        replica = self.replica
        if replica is None:
            return await on_primary()
        reason = Reason.OWN_CHANGE if user_id in self._changed else replica.refusal
        if reason is None:
            try:
                answer = await on_replica(replica)
            except Unused as unused:
                reason = unused.reason
            else:
                self.on_replica += 1
                return answer
        self.on_primary[reason] += 1
        return await on_primary()


class RoutedHistoryPages:
    """`HistoryPages` on the replica, as far as the conversation's rev is there."""

    def __init__(self, primary: Queries, router: ReadRouter) -> None:
        self._primary = PostgresMessageHistory(primary)
        self._router = router

    async def newest(
        self, conversation_id: UUID, *, before_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        return await self._read(
            conversation_id,
            user_id,
            seen_rev,
            lambda history: history.newest(conversation_id, before_seq=before_seq, limit=limit),
        )

    async def oldest(
        self, conversation_id: UUID, *, after_seq: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        return await self._read(
            conversation_id,
            user_id,
            seen_rev,
            lambda history: history.oldest(conversation_id, after_seq=after_seq, limit=limit),
        )

    async def changed(
        self, conversation_id: UUID, *, after_rev: int, limit: int, user_id: UUID, seen_rev: int
    ) -> list[Message]:
        return await self._read(
            conversation_id,
            user_id,
            seen_rev,
            lambda history: history.changed(conversation_id, after_rev=after_rev, limit=limit),
        )

    async def _read(
        self,
        conversation_id: UUID,
        user_id: UUID,
        seen_rev: int,
        read: Callable[[PostgresMessageHistory], Awaitable[list[Message]]],
    ) -> list[Message]:
        return await self._router.route(
            user_id,
            lambda replica: replica.read(
                {conversation_id: Seen(seen_rev)}, lambda queries: read(PostgresMessageHistory(queries))
            ),
            lambda: read(self._primary),
        )


class RoutedMessageSearch:
    """`MessageSearch` on the replica, in the conversations that the primary says are the user's."""

    def __init__(self, primary: Queries, router: ReadRouter) -> None:
        self._queries = primary
        self._primary = PostgresMessageSearch(primary)
        self._router = router

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
        async def on_replica(replica: Replica) -> list[SearchHit]:
            rows = await self._queries.fetch(REACH, user_id, conversation_id)
            reads = {row["id"]: row["last_read_seq"] for row in rows}
            hits = await replica.read(
                {row["id"]: Seen(row["rev"]) for row in rows},
                lambda queries: PostgresMessageSearch(queries).search_among(
                    list(reads), user_id, query, after=after, limit=limit, depth=depth
                ),
            )
            return [attrs.evolve(hit, read_seq=max(hit.read_seq, reads[hit.message.conversation_id])) for hit in hits]

        return await self._router.route(
            user_id,
            on_replica,
            lambda: self._primary.search(
                user_id, query, conversation_id=conversation_id, after=after, limit=limit, depth=depth
            ),
        )


class RoutedUserDirectory(PostgresUserDirectory):
    """Which conversations are on a page of a user's list, and in which order, comes from the primary; what is shown of
    them, with members, marks and messages, from the replica.
    """

    def __init__(self, database: Database, router: ReadRouter) -> None:
        super().__init__(database)
        self._router = router

    async def conversations(
        self, user_id: UUID, *, before: ConversationCursor | None, limit: int
    ) -> list[tuple[Conversation, ConversationCursor]]:
        async def on_replica(replica: Replica) -> list[tuple[Conversation, ConversationCursor]]:
            listed = await self.listed(user_id, before=before, limit=limit)
            ids = [each.cursor.conversation_id for each in listed]
            found = await replica.read(
                {each.cursor.conversation_id: Seen(each.rev, each.marks) for each in listed},
                lambda queries: PostgresUserDirectory(queries).shown(ids),
            )
            return [
                (found[each.cursor.conversation_id], each.cursor)
                for each in listed
                # One that is gone there was deleted since.
                if each.cursor.conversation_id in found
            ]

        async def on_primary() -> list[tuple[Conversation, ConversationCursor]]:
            return await super(RoutedUserDirectory, self).conversations(user_id, before=before, limit=limit)

        return await self._router.route(user_id, on_replica, on_primary)
