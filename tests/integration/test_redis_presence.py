"""What presence leaves in a real Redis."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import trio

from actors.adapters.redis.presence import RETENTION, RedisPresenceStore
from chatcore.errors import ChatError, ErrorCode
from tests.kit.presence import running_broker
from tests.kit.redis import RedisServer

HERE, THERE = UUID(int=1), UUID(int=2)
ANN, BOB = UUID(int=11), UUID(int=12)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_every_key_has_an_end(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    async with running_broker(redis_server.url) as broker:
        store = RedisPresenceStore(broker, 6.0)
        await store.open(HERE, NOON)
        await store.open(THERE, NOON)
        await store.come(HERE, [ANN])
        await store.leave(HERE, {BOB: NOON})
        await store.beat(THERE, NOON)
    ends = {key.decode(): redis_server.command("TTL", key) for key in redis_server.command("KEYS", "*")}
    assert len(ends) == 7
    assert all(0 < end <= (6 if ".node." in key else RETENTION) for key, end in ends.items()), ends


async def test_looking_up_leaves_nothing_of_a_dead_lease(redis_server: RedisServer) -> None:
    redis_server.command("FLUSHALL")
    async with running_broker(redis_server.url) as broker:
        store = RedisPresenceStore(broker, 6.0)
        await store.open(HERE, NOON)
        await store.open(THERE, NOON)
        await store.come(HERE, [ANN, BOB])
        await store.come(THERE, [BOB])
        await store.beat(HERE, NOON + timedelta(seconds=1))
        redis_server.command("DEL", f"{{presence}}.node.{HERE}")
        await store.lookup([ANN, BOB])
        await store.beat(THERE, NOON)
    left = {user: redis_server.command("HKEYS", f"{{presence}}.user.{user}") for user in (ANN, BOB)}
    assert left == {ANN: [b"seen"], BOB: [THERE.bytes]}
    assert redis_server.command("SMEMBERS", "{presence}.nodes") == {THERE.bytes}


async def test_a_cluster_takes_it_all(redis_cluster: Sequence[RedisServer]) -> None:
    async with running_broker(redis_cluster[0].url, cluster=True) as broker:
        store = RedisPresenceStore(broker, 6.0)
        await store.open(HERE, NOON)
        await store.come(HERE, [ANN])
        await store.leave(HERE, {BOB: NOON})
        assert await store.beat(HERE, NOON) == {HERE}
        seen = await store.lookup([ANN, BOB])
        assert [seen[user].online for user in (ANN, BOB)] == [True, False]
        await store.close(HERE)
        assert not (await store.lookup([ANN]))[ANN].online


async def test_a_redis_that_is_killed_refuses_and_serves_again(own_redis: RedisServer) -> None:
    async with running_broker(own_redis.url) as broker:
        store = RedisPresenceStore(broker, 6.0)
        await store.open(HERE, NOON)
        own_redis.kill()
        with pytest.raises(ChatError) as refused:
            await store.lookup([ANN])
        assert refused.value.code is ErrorCode.UNAVAILABLE
        own_redis.start()
        with trio.fail_after(20):
            while True:
                try:
                    assert await store.beat(HERE, NOON) is None
                except ChatError:
                    await trio.sleep(0.02)
                else:
                    break
