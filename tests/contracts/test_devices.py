"""`Devices`, on the twin and on PostgreSQL."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from actors.adapters.memory.devices import MemoryDevices
from actors.adapters.postgres.push import PostgresDevices
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.push.ports import Device, Devices
from chatcore.errors import ChatError, ErrorCode
from tests.kit.chat import database_for_tests, running

Registered = Callable[[UUID], Awaitable[list[tuple[str, str, str]]]]


@pytest.fixture
async def kit(store_url: str | None) -> AsyncGenerator[tuple[Devices, Registered, UUID, UUID]]:
    """The store, what is registered of a user, and two users."""
    users = (uuid4(), uuid4())
    if store_url is None:
        twin = MemoryDevices()

        async def in_memory(user_id: UUID) -> list[tuple[str, str, str]]:
            return sorted((each.id, each.platform, each.push_token) for each in twin.of(user_id))

        yield twin, in_memory, *users
        return
    async with running(database_for_tests(store_url)) as database:
        for user_id in users:
            await PostgresUserDirectory(database).add(user_id, f"{user_id}@example.com", "Somebody")

        async def in_postgres(user_id: UUID) -> list[tuple[str, str, str]]:
            rows = await database.fetch(
                "SELECT device_id, platform, push_token FROM devices WHERE user_id = $1", user_id
            )
            return sorted((row["device_id"], row["platform"], row["push_token"]) for row in rows)

        yield PostgresDevices(database), in_postgres, *users


async def test_a_device_is_registered_and_changes_its_token(
    kit: tuple[Devices, Registered, UUID, UUID],
) -> None:
    devices, registered, jan, _ = kit
    token = str(uuid4())
    await devices.put(Device(jan, "phone", "ios", token), limit=2)
    await devices.put(Device(jan, "phone", "android", token + "2"), limit=2)
    assert await registered(jan) == [("phone", "android", token + "2")]


async def test_a_token_is_taken_from_the_device_that_had_it(kit: tuple[Devices, Registered, UUID, UUID]) -> None:
    devices, registered, jan, eva = kit
    token = str(uuid4())
    await devices.put(Device(jan, "phone", "ios", token), limit=2)
    await devices.put(Device(eva, "mine", "ios", token), limit=2)
    assert (await registered(jan), await registered(eva)) == ([], [("mine", "ios", token)])


async def test_a_user_has_so_many_devices_and_no_more(kit: tuple[Devices, Registered, UUID, UUID]) -> None:
    devices, registered, jan, _ = kit
    first, second = str(uuid4()), str(uuid4())
    await devices.put(Device(jan, "phone", "ios", first), limit=1)
    with pytest.raises(ChatError) as caught:
        await devices.put(Device(jan, "tablet", "ios", second), limit=1)
    assert caught.value.code is ErrorCode.CONFLICT
    assert await registered(jan) == [("phone", "ios", first)]
    # The same token from a new device takes the old one's place.
    await devices.put(Device(jan, "tablet", "ios", first), limit=1)
    assert await registered(jan) == [("tablet", "ios", first)]


async def test_a_deleted_device_is_gone_and_deleting_again_does_nothing(
    kit: tuple[Devices, Registered, UUID, UUID],
) -> None:
    devices, registered, jan, _ = kit
    await devices.put(Device(jan, "phone", "ios", str(uuid4())), limit=1)
    await devices.delete(jan, "phone")
    await devices.delete(jan, "phone")
    assert await registered(jan) == []
