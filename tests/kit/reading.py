"""Reads through a real replica, as the node routes them."""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import psycopg
import trio
from attrs import frozen

from actors.adapters.postgres.replica import Reason, Replica, ReplicaPolicy
from actors.adapters.postgres.routed import ReadRouter, RoutedHistoryPages, RoutedMessageSearch, RoutedUserDirectory
from tests.kit.chat import Chat, database_for_tests, postgres_chat, running
from tests.kit.postgres import PostgresServer
from tests.kit.replica import ReplicaServer

PATIENCE: Final = 60.0
PATIENT: Final = ReplicaPolicy(lag_limit=60.0, patience=0.05, probe_interval=0.05, probe_timeout=20.0)
"""Of a test that is not about the lag, on a machine that may be slow."""


@frozen
class Pair:
    primary: PostgresServer
    replica: ReplicaServer


@frozen
class Reader:
    chat: Chat
    replica: Replica
    router: ReadRouter
    pages: RoutedHistoryPages
    search: RoutedMessageSearch
    users: RoutedUserDirectory

    async def newest(self, conversation_id: UUID, user_id: UUID) -> list[str]:
        standing = await self.chat.standings.standing(conversation_id, user_id)
        page = await self.pages.newest(
            conversation_id, before_seq=standing.last_seq + 1, limit=5, user_id=user_id, seen_rev=standing.rev
        )
        return [each.text for each in page]

    async def listed(self, user_id: UUID) -> list[tuple[UUID, str | None, int]]:
        """Of each conversation the last text and the user's read mark."""
        found = await self.users.conversations(user_id, before=None, limit=50)
        return [
            (
                each.id,
                None if each.last_message is None else each.last_message.text,
                next(member.last_read_seq for member in each.participants if member.user_id == user_id),
            )
            for each, _ in found
        ]

    async def found(self, user_id: UUID, query: str, conversation_id: UUID | None = None) -> list[tuple[str, int]]:
        hits = await self.search.search(
            user_id, query, conversation_id=conversation_id, after=None, limit=10, depth=100
        )
        return sorted((each.message.text, each.read_seq) for each in hits)

    async def until(self, refusal: Reason | None) -> None:
        await eventually(lambda: self.replica.refusal is refusal)


@asynccontextmanager
async def reading(pair: Pair, policy: ReplicaPolicy = PATIENT) -> AsyncGenerator[Reader]:
    """On a database of its own, with a replica that is used."""
    url = pair.primary.fresh_database()
    await trio.to_thread.run_sync(pair.replica.await_caught_up, pair.primary)
    replica = Replica(
        pair.replica.url(url.partition("@/")[2].partition("?")[0]), url, policy, rng=random.Random(1), pool_size=2
    )
    async with running(database_for_tests(url)) as database, trio.open_nursery() as nursery:
        await nursery.start(replica.run)
        router = ReadRouter(replica, lag_limit=policy.lag_limit)
        reader = Reader(
            postgres_chat(database),
            replica,
            router,
            RoutedHistoryPages(database, router),
            RoutedMessageSearch(database, router),
            RoutedUserDirectory(database, router),
        )
        await reader.until(None)
        yield reader
        nursery.cancel_scope.cancel()


async def eventually(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            if holds():
                return
            await trio.sleep(0.01)


def backends(server: PostgresServer) -> set[int]:
    """Processes of the node's connections there."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'stackmentor'")
        return {row[0] for row in found}


async def caught_up(pair: Pair) -> None:
    await trio.to_thread.run_sync(pair.replica.await_caught_up, pair.primary)
