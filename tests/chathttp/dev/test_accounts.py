from itertools import count
from uuid import UUID

import attrs
import psycopg
import pytest

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.identity import MemoryIdentity
from chatcore.errors import ChatError
from chatcore.model import ConversationType
from chathttp.dev.accounts import DEMO_PASSWORD, DEMO_USERS, ensure_demo, provision_demo
from chathttp.identity.passwords import Passwords
from chathttp.settings import Settings


async def _made(chat: MemoryChat, accounts: MemoryIdentity) -> dict[str, UUID]:
    ids: dict[str, UUID] = {}
    for email, name in DEMO_USERS:
        account = await accounts.find(email)
        assert account is not None
        assert account.confirmed
        assert account.password_hash is not None
        assert await Passwords().verify(account.password_hash, DEMO_PASSWORD)
        ids[name] = account.user_id
    listed = [each for each, _ in await chat.users.conversations(ids["Alice"], before=None, limit=10)]
    assert sorted((each.type, len(each.participants)) for each in listed) == [
        (ConversationType.DIRECT, 2),
        (ConversationType.GROUP, 3),
    ]
    for each in listed:
        roles = {participant.user_id: participant.role.value for participant in each.participants}
        assert ids["Bob"] in roles
        assert each.type is ConversationType.DIRECT or roles[ids["Alice"]].lower() == "owner"
    return ids


async def test_demo_is_three_users_a_direct_conversation_and_a_group() -> None:
    chat, numbers = MemoryChat(), count(1)
    accounts = MemoryIdentity(chat.users)
    await ensure_demo(accounts, chat.users, chat.conversations, lambda: UUID(int=next(numbers)))
    await _made(chat, accounts)


@pytest.mark.parametrize(("method", "after_commit"), [("add", False), ("create", True), ("conversations", False)])
async def test_demo_that_was_stopped_is_completed_and_never_doubled(method: str, after_commit: bool) -> None:
    chat, numbers = MemoryChat(), count(1)
    accounts = MemoryIdentity(chat.users)
    chat.faults.fail_next(method=method, after_commit=after_commit)
    with pytest.raises(ChatError):
        await ensure_demo(accounts, chat.users, chat.conversations, lambda: UUID(int=next(numbers)))
    for _ in range(2):
        await ensure_demo(accounts, chat.users, chat.conversations, lambda: UUID(int=next(numbers)))
        await _made(chat, accounts)


async def test_demo_on_the_real_database_is_made_once(database_url: str) -> None:
    settings = attrs.evolve(Settings(), database_url=database_url)
    for _ in range(2):
        await provision_demo(settings)
    with psycopg.connect(database_url) as connection:
        counted = connection.execute(
            """
            SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM conversations),
              (SELECT count(*) FROM participants)
            """
        ).fetchone()
    assert counted == (3, 2, 5)
