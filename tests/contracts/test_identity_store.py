"""The contract of the identity ports, on the in-memory twin and on PostgreSQL."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

import attrs
import pytest
import trio

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.identity import MemoryIdentity
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.identity_ports import (
    Account,
    AccountStore,
    CodePurpose,
    Family,
    KeyStore,
    OneTimeCode,
    RefreshStore,
    Refused,
    Repeated,
    Rotated,
    Rotation,
    StoredKey,
)
from actors.ports import UserDirectory
from chatcore.errors import ChatError, ErrorCode
from tests.kit.chat import database_for_tests, running

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
GRACE = timedelta(seconds=10)


class IdentityStore(AccountStore, RefreshStore, KeyStore, Protocol):
    """What one adapter offers."""


@attrs.frozen
class Stores:
    identity: IdentityStore
    users: UserDirectory


@pytest.fixture
async def stores(store_url: str | None) -> AsyncGenerator[Stores]:
    if store_url is None:
        users = MemoryChat(lambda: NOW).users
        yield Stores(MemoryIdentity(users), users)
        return
    async with running(database_for_tests(store_url)) as database:
        yield Stores(PostgresIdentity(database), PostgresUserDirectory(database))


async def test_roles_are_set_as_a_whole(stores: Stores) -> None:
    jan = account(groups=("moderators",))
    await stores.identity.create([jan])
    await stores.identity.set_groups(jan.user_id, ["admins", "testers"])
    assert await stores.identity.find(jan.email) == attrs.evolve(jan, groups=("admins", "testers"))
    await stores.identity.set_groups(jan.user_id, [])
    assert await stores.identity.find(jan.email) == attrs.evolve(jan, groups=())
    await stores.identity.set_groups(uuid4(), ["admins"])


def account(email: str = "Jan@example.com", groups: tuple[str, ...] = (), *, confirmed: bool = False) -> Account:
    return Account(uuid4(), email, "Jan", "$argon2id$…", confirmed, groups)


async def create(stores: Stores, email: str = "jan@example.com") -> Account:
    made = account(email)
    await stores.identity.create([made])
    return made


def code(
    purpose: CodePurpose = CodePurpose.CONFIRM, hash_: bytes = b"right", attempts: int = 2, seconds: float = 60
) -> OneTimeCode:
    return OneTimeCode(purpose, hash_, NOW + timedelta(seconds=seconds), attempts)


async def test_an_account_is_found_by_its_email_whatever_the_case(stores: Stores) -> None:
    made = account(groups=("admins", "with, comma"))
    await stores.identity.create([made])
    assert await stores.identity.find("jAN@EXAMPLE.com") == made
    assert await stores.identity.find("bob@example.com") is None
    (user,) = await stores.users.get([made.user_id])
    assert (user.email, user.name) == ("Jan@example.com", "Jan")


async def test_an_account_bears_the_users_present_name(stores: Stores) -> None:
    made = await create(stores)
    await stores.users.update(made.user_id, name="New", profile_picture_url=None)
    found = await stores.identity.find(made.email)
    assert found is not None
    assert found.name == "New"


async def test_many_accounts_are_made_or_none(stores: Stores) -> None:
    await create(stores, "taken@example.com")
    for batch in (["a@example.com", "TAKEN@example.com"], ["a@example.com", "A@example.com"]):
        with pytest.raises(ChatError) as error:
            await stores.identity.create([account(each) for each in batch])
        assert error.value.code is ErrorCode.CONFLICT
        assert await stores.identity.find("a@example.com") is None
    await stores.identity.create([account(f"user{number}@example.com") for number in range(1000)])
    assert await stores.identity.find("user999@example.com") is not None
    await stores.identity.create([])


async def test_an_email_of_a_user_without_an_account_is_taken(stores: Stores) -> None:
    await stores.users.add(uuid4(), "jan@example.com", "Jan")
    with pytest.raises(ChatError) as error:
        await stores.identity.create([account()])
    assert error.value.code is ErrorCode.CONFLICT
    assert await stores.identity.find("jan@example.com") is None


async def test_the_right_code_confirms_once(stores: Stores) -> None:
    made = await create(stores)
    await stores.identity.put_code(made.user_id, code())
    assert await stores.identity.confirm(made.user_id, b"right", NOW)
    found = await stores.identity.find(made.email)
    assert found is not None
    assert found.confirmed
    assert not await stores.identity.confirm(made.user_id, b"right", NOW)


async def test_a_code_dies_of_its_attempts_and_a_newer_one_takes_its_place(stores: Stores) -> None:
    made = await create(stores)
    await stores.identity.put_code(made.user_id, code(attempts=2))
    for guess in (b"wrong", b"wrong", b"right"):
        assert not await stores.identity.confirm(made.user_id, guess, NOW)
    await stores.identity.put_code(made.user_id, code(hash_=b"newer"))
    assert not await stores.identity.confirm(made.user_id, b"right", NOW)
    assert await stores.identity.confirm(made.user_id, b"newer", NOW)


async def test_a_code_stands_until_its_time_and_for_its_purpose_and_user(stores: Stores) -> None:
    jan, bob = await create(stores), await create(stores, "bob@example.com")
    await stores.identity.put_code(jan.user_id, code(seconds=60))
    assert not await stores.identity.confirm(jan.user_id, b"right", NOW + timedelta(seconds=60))
    assert not await stores.identity.reset_password(jan.user_id, b"right", "new", NOW)
    assert not await stores.identity.confirm(bob.user_id, b"right", NOW)
    assert await stores.identity.confirm(jan.user_id, b"right", NOW + timedelta(seconds=59))


async def test_guesses_at_once_have_no_more_attempts_together(stores: Stores) -> None:
    made = await create(stores)
    await stores.identity.put_code(made.user_id, code(attempts=3))
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(stores.identity.confirm, made.user_id, b"wrong", NOW)
    assert not await stores.identity.confirm(made.user_id, b"right", NOW)


async def open_family(stores: Stores, user_id: UUID, seconds: float = 1000) -> Family:
    family = Family(uuid4(), user_id, b"token-1", NOW, NOW + timedelta(seconds=seconds))
    await stores.identity.open(family)
    return family


async def rotate(stores: Stores, family: Family, number: int, seconds: float = 0) -> Rotation:
    """Use token `number`, `seconds` after the sign-in."""
    now = NOW + timedelta(seconds=seconds)
    return await stores.identity.rotate(
        family.id,
        f"token-{number}".encode(),
        f"token-{number + 1}".encode(),
        f"nonce-{number}".encode(),
        now=now,
        repeat_after=now - GRACE,
    )


async def test_a_reset_sets_the_password_confirms_and_ends_all_sign_ins_of_the_account(stores: Stores) -> None:
    jan, bob = await create(stores), await create(stores, "bob@example.com")
    families = [await open_family(stores, each.user_id) for each in (jan, jan, bob)]
    await stores.identity.put_code(jan.user_id, code(CodePurpose.RESET))
    assert not await stores.identity.reset_password(jan.user_id, b"wrong", "new", NOW)
    assert await stores.identity.reset_password(jan.user_id, b"right", "new", NOW)
    found = await stores.identity.find(jan.email)
    assert found == attrs.evolve(jan, password_hash="new", confirmed=True)
    outcomes = [await rotate(stores, each, 1) for each in families]
    assert outcomes == [Refused(), Refused(), Rotated(bob, NOW)]


async def test_tokens_rotate_in_a_chain(stores: Stores) -> None:
    jan = await create(stores)
    family = await open_family(stores, jan.user_id)
    for number in range(1, 5):
        assert await rotate(stores, family, number, seconds=number * 100) == Rotated(jan, NOW)


async def test_a_replaced_token_is_a_repeat_within_the_grace_and_ends_the_family_after_it(stores: Stores) -> None:
    jan = await create(stores)
    family = await open_family(stores, jan.user_id)
    await rotate(stores, family, 1)
    for _ in range(2):
        assert await rotate(stores, family, 1, seconds=9.9) == Repeated(jan, NOW, b"nonce-1")
    assert await rotate(stores, family, 1, seconds=10) == Refused(reused=jan.user_id)
    assert await rotate(stores, family, 2, seconds=10) == Refused()


async def test_a_token_older_than_the_last_one_ends_the_family_at_once(stores: Stores) -> None:
    jan = await create(stores)
    family = await open_family(stores, jan.user_id)
    await rotate(stores, family, 1)
    await rotate(stores, family, 2)
    assert await rotate(stores, family, 1) == Refused(reused=jan.user_id)
    assert await rotate(stores, family, 3) == Refused()


async def test_a_family_ends_at_its_time_by_a_logout_and_never_was_for_a_strange_id(stores: Stores) -> None:
    jan = await create(stores)
    short = await open_family(stores, jan.user_id, seconds=100)
    assert await rotate(stores, short, 1, seconds=100) == Refused()
    assert await rotate(stores, attrs.evolve(short, id=uuid4()), 1) == Refused()
    family = await open_family(stores, jan.user_id)
    await stores.identity.close(family.id)
    await stores.identity.close(family.id)
    assert await rotate(stores, family, 1) == Refused()
    assert await rotate(stores, short, 1, seconds=99) == Rotated(jan, NOW)


async def test_one_of_two_at_once_rotates_and_the_other_repeats_it(stores: Stores) -> None:
    jan = await create(stores)
    family = await open_family(stores, jan.user_id)
    outcomes: list[Rotation] = []

    async def use() -> None:
        outcomes.append(await rotate(stores, family, 1))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(use)
    assert sorted(outcomes, key=repr) == [Repeated(jan, NOW, b"nonce-1")] * 4 + [Rotated(jan, NOW)]


async def test_the_first_key_stays_whoever_comes_at_once(stores: Stores) -> None:
    found: list[list[StoredKey]] = []

    async def load(kid: str) -> None:
        found.append(await stores.identity.load_or_store(StoredKey(kid, kid.encode())))

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(load, f"key-{number}")
    assert len(found[0]) == 1
    assert found == [found[0]] * 5
    assert await stores.identity.load_or_store(StoredKey("late", b"late")) == found[0]
