"""Users and conversations made by the operator, by way of the same stores as the server's requests."""

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import trio

from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.identity_ports import AccountStore
from actors.ports import ConversationStore, UserDirectory
from chatcore.model import ConversationType
from chathttp.dev.errors import DevError
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import load_signing_keys
from chathttp.identity.passwords import Passwords
from chathttp.identity.provisioning import ensure_user, provision_users
from chathttp.ids import IdSource
from chathttp.settings import Settings

DEMO_PASSWORD: Final = "Passw0rd!"  # noqa: S105 - known to everyone, on purpose
DEMO_USERS: Final = (("alice@example.com", "Alice"), ("bob@example.com", "Bob"), ("carol@example.com", "Carol"))
DEMO_GROUP: Final = "Demo group"
_PAGE: Final = 200


async def provision_tokens(settings: Settings, count: int) -> list[tuple[UUID, str]]:
    """``count`` new users of the embedded identity, each with an access token. The schema must be the newest."""
    async with _database(settings) as database:
        store = PostgresIdentity(database)
        keys = await load_signing_keys(store)
        return await provision_users(store, keys, IdentityConfig.from_settings(settings), count, _utc_now)


async def change_roles(settings: Settings, email: str, roles: Sequence[str] | None) -> tuple[str, ...]:
    """The roles of an account, after they were set unless ``roles`` is None.

    Raises :class:`DevError` when there is no such account.
    """
    async with _database(settings) as database:
        store = PostgresIdentity(database)
        account = await store.find(email)
        if account is None:
            raise DevError(f"there is no account of {email}")
        if roles is None:
            return account.groups
        each_once = tuple(dict.fromkeys(roles))
        await store.set_groups(account.user_id, each_once)
        return each_once


async def provision_demo(settings: Settings) -> None:
    """The demo users, a conversation of two of them and a group of all; what is there stays as it is."""
    async with _database(settings) as database:
        await ensure_demo(
            PostgresIdentity(database), PostgresUserDirectory(database), PostgresConversationStore(database), IdSource()
        )


async def ensure_demo(
    accounts: AccountStore, users: UserDirectory, conversations: ConversationStore, new_id: Callable[[], UUID]
) -> None:
    """What :func:`provision_demo` does, on any stores. May be stopped anywhere and run again."""
    passwords = Passwords()
    ids = [await ensure_user(accounts, passwords, email, name, DEMO_PASSWORD) for email, name in DEMO_USERS]
    alice, bob, _ = ids
    await conversations.create(new_id(), ConversationType.DIRECT, alice, [bob], None, None)
    if not await _has_group(users, alice):
        await conversations.create(new_id(), ConversationType.GROUP, alice, ids[1:], DEMO_GROUP, None)


async def _has_group(users: UserDirectory, user_id: UUID) -> bool:
    before = None
    while page := await users.conversations(user_id, before=before, limit=_PAGE):
        if any(each.type is ConversationType.GROUP and each.name == DEMO_GROUP for each, _ in page):
            return True
        before = page[-1][1]
    return False


@asynccontextmanager
async def _database(settings: Settings) -> AsyncGenerator[Database]:
    database = Database(
        settings.database_url,
        rng=random.Random(),  # noqa: S311 - spreads reconnections
        pool_size=1,
        statement_timeout=settings.statement_timeout,
        connect_timeout=settings.database_connect_timeout,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        yield database
        nursery.cancel_scope.cancel()


def _utc_now() -> datetime:
    return datetime.now(UTC)
