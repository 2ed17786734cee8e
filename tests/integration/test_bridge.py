"""The broker on a real Valkey that is killed, frozen, cut off, and read too slowly."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from actors.adapters.redis.broker import RedisBroker
from actors.bridge.broker import Away, Back, BrokerStatus, Received
from chatcore.errors import ChatError, ErrorCode
from tests.kit.brokers import Listening, redis_broker
from tests.kit.redis import RedisServer, own_redis_server
from tests.kit.tls import certificate, tls_before

CHANNELS = [f"channel.{number}" for number in range(1200)]


@asynccontextmanager
async def open_brokers(*brokers: RedisBroker) -> AsyncGenerator[list[Listening]]:
    """They run and are up; what they receive is fetched."""
    listening = [Listening(broker) for broker in brokers]
    async with trio.open_nursery() as nursery:
        for each in listening:
            await nursery.start(each.broker.run)
            nursery.start_soon(each.run)
            await up(each)
        yield listening
        nursery.cancel_scope.cancel()


async def up(listening: Listening) -> None:
    await listening.until(lambda: listening.broker.state.status is BrokerStatus.UP)


async def away(listening: Listening) -> None:
    await listening.until(lambda: listening.broker.state.status is BrokerStatus.AWAY)


async def test_a_frozen_server_is_seen_by_all_within_about_a_second_and_heals_by_itself(
    own_redis: RedisServer,
) -> None:
    async with open_brokers(redis_broker(own_redis.url), redis_broker(own_redis.url)) as both:
        for each in both:
            each.broker.follow(CHANNELS)
            await each.until(lambda each=each: each.followed == set(CHANNELS))
        frozen_at = trio.current_time()
        own_redis.freeze()
        for each in both:
            await away(each)
            # Between two probes less than 1.1 s; the rest is the machine's.
            assert trio.current_time() - frozen_at < 2.0
            each.happenings.clear()
        own_redis.thaw()
        thawed_at = trio.current_time()
        for each in both:
            await each.until(lambda each=each: each.followed == set(CHANNELS) and bool(each.of(Back)))
        assert trio.current_time() - thawed_at < 4.0
        assert both[0].broker.publish(CHANNELS[0], b"heard")
        await both[1].until(lambda: both[1].payloads == [b"heard"])


async def test_a_killed_server_is_seen_at_once_and_all_is_followed_again_after_its_restart(
    own_redis: RedisServer,
) -> None:
    async with open_brokers(redis_broker(own_redis.url)) as (one,):
        one.broker.follow(CHANNELS)
        await one.until(lambda: one.followed == set(CHANNELS))
        one.happenings.clear()
        own_redis.kill()
        with trio.fail_after(0.5):
            await away(one)
        assert one.broker.state.error
        await trio.sleep(0.5)
        own_redis.start()
        await one.until(lambda: one.followed == set(CHANNELS) and bool(one.of(Back)))
        assert one.broker.state.reconnects == 2
        assert one.broker.state.round_trip is not None


async def test_a_server_that_comes_later_than_the_node_is_found(own_redis: RedisServer) -> None:
    own_redis.kill()
    broker = redis_broker(own_redis.url)
    broker.follow(["a"])
    listening = Listening(broker)
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        nursery.start_soon(listening.run)
        await listening.until(lambda: "Error" in str(broker.state.error))
        own_redis.start()
        await listening.until(lambda: listening.followed == {"a"} and bool(listening.of(Back)))
        assert not listening.of(Away)
        nursery.cancel_scope.cancel()


async def test_cut_connections_are_made_anew_and_what_is_followed_with_them(own_redis: RedisServer) -> None:
    async with open_brokers(redis_broker(own_redis.url), redis_broker(own_redis.url)) as (one, other):
        other.broker.follow(["a"])
        await other.until(lambda: other.followed == {"a"})
        for round_ in range(2, 5):
            other.happenings.clear()
            own_redis.cut_connections()
            for each in (one, other):
                await each.until(lambda each=each, round_=round_: each.broker.state.reconnects == round_)
            await other.until(lambda: other.followed == {"a"})
            assert one.broker.publish("a", b"%d" % round_)
            await other.until(lambda round_=round_: other.payloads == [b"%d" % round_])


async def test_publishes_that_got_no_answer_are_given_back_in_order(own_redis: RedisServer) -> None:
    async with open_brokers(redis_broker(own_redis.url)) as (one,):
        own_redis.freeze()
        told = [Received("a", b"%d" % number) for number in range(100)]
        for each in told:
            assert one.broker.publish(each.channel, each.payload)
        await one.until(lambda: bool(one.of(Away)))
        assert list(one.of(Away)[0].lost) == told
        state = one.broker.state
        assert (state.lost, state.outbox, state.outbox_bytes) == (100, 0, 0)
        own_redis.thaw()


async def test_a_node_that_reads_slowly_holds_back_the_socket_and_misses_nothing(own_redis: RedisServer) -> None:
    slow = redis_broker(own_redis.url, inbox=50, probe_interval=0.1)
    slow.follow(["a"])
    async with open_brokers(redis_broker(own_redis.url)) as (one,), trio.open_nursery() as nursery:
        await nursery.start(slow.run)
        await up(Listening(slow))
        for number in range(8000):
            assert one.broker.publish("a", b"%d" % number + bytes(1000))
            if number % 100 == 0:
                await trio.sleep(0.002)
        await trio.sleep(1)
        # One read of the socket may bring 64 KiB more.
        assert slow.state.inbox < 50 + 100
        assert slow.state.status is BrokerStatus.UP
        found: list[bytes] = []
        with trio.fail_after(10):
            while len(found) < 8000:
                found += [each.payload[:-1000] for each in await slow.receive() if isinstance(each, Received)]
        assert found == [b"%d" % number for number in range(8000)]
        nursery.cancel_scope.cancel()


async def test_a_node_that_redis_drops_for_its_slowness_is_told_so_and_follows_again() -> None:
    options = {"client-output-buffer-limit": "pubsub 1mb 1mb 1"}
    with own_redis_server(options) as server:
        slow = redis_broker(server.url, inbox=10, probe_interval=0.1)
        slow.follow(["a"])
        async with open_brokers(redis_broker(server.url)) as (one,), trio.open_nursery() as nursery:
            await nursery.start(slow.run)
            await up(Listening(slow))
            for _ in range(30):
                for _ in range(100):
                    one.broker.publish("a", bytes(10_000))
                await one.until(lambda: one.broker.state.outbox == 0)
            listening = Listening(slow)
            nursery.start_soon(listening.run)
            await listening.until(lambda: bool(listening.of(Away)) and slow.state.reconnects == 2)
            await listening.until(lambda: len(listening.of(Back)) == 2)
            nursery.cancel_scope.cancel()


async def test_what_is_queued_at_the_end_is_still_sent(own_redis: RedisServer) -> None:
    async with open_brokers(redis_broker(own_redis.url)) as (stays,):
        stays.broker.follow(["a"])
        await stays.until(lambda: stays.followed == {"a"})
        async with open_brokers(redis_broker(own_redis.url)) as (ends,):
            for number in range(2000):
                assert ends.broker.publish("a", b"%d" % number)
        await stays.until(lambda: len(stays.payloads) == 2000)
        assert stays.payloads == [b"%d" % number for number in range(2000)]


async def test_beyond_its_bounds_a_publish_is_refused_and_counted(own_redis: RedisServer) -> None:
    async with open_brokers(redis_broker(own_redis.url, outbox=10, outbox_bytes=1000)) as (one,):
        own_redis.freeze()
        assert [one.broker.publish("a", bytes(150)) for _ in range(8)] == [True] * 6 + [False] * 2
        assert [one.broker.publish("a", b"") for _ in range(6)] == [True] * 4 + [False] * 2
        assert one.broker.state.refused == 4
        own_redis.thaw()


async def test_commands_are_answered_in_order_and_refused_while_it_is_away(own_redis: RedisServer) -> None:
    broker = redis_broker(own_redis.url)
    async with open_brokers(broker) as (one,):
        answers = await broker.call("k", [("SET", "k", b"\x00\xff"), ("GET", "k"), ("GET", "no"), ("INCR", "n")])
        assert answers == [b"OK", b"\x00\xff", None, 1]
        with pytest.raises(ChatError) as refused:
            await broker.call("k", [("SET", "k", 1), ("INCR", "k"), ("LPUSH", "k", 1)])
        assert refused.value.code is ErrorCode.UNAVAILABLE
        assert "WRONGTYPE" in str(refused.value.__cause__)
        assert await broker.call("k", [("GET", "k")]) == [b"2"]
        own_redis.freeze()
        asked_at = trio.current_time()
        with pytest.raises(ChatError) as refused:
            await broker.call("k", [("GET", "k")])
        assert refused.value.code is ErrorCode.UNAVAILABLE
        assert trio.current_time() - asked_at < 2.0
        await away(one)
        with pytest.raises(ChatError):
            await broker.call("k", [("GET", "k")])
        own_redis.thaw()


async def test_commands_count_against_the_bound_until_they_are_answered(own_redis: RedisServer) -> None:
    broker = redis_broker(own_redis.url)

    async def refusal() -> ErrorCode:
        with pytest.raises(ChatError) as refused:
            await broker.call("k", [("GET", "k")])
        return refused.value.code

    async with open_brokers(broker) as (one,):
        own_redis.freeze()
        async with trio.open_nursery() as nursery:
            for _ in range(1024):
                nursery.start_soon(broker.call, "k", [("GET", "k")])
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        # Nobody waits any more, but all answers are still due.
        assert broker.state.status is BrokerStatus.UP
        assert await refusal() is ErrorCode.OVERLOADED
        await away(one)
        assert await refusal() is ErrorCode.UNAVAILABLE
        own_redis.thaw()
        await up(one)
        for _ in range(1100):
            assert await broker.call("k", [("GET", "k")]) == [None]


async def test_a_password_is_used_by_tcp_and_by_unix_socket_and_a_wrong_one_says_so() -> None:
    with own_redis_server({"requirepass": "secret"}) as server:
        async with open_brokers(redis_broker(server.url), redis_broker(server.unix_url)) as (one, other):
            other.broker.follow(["a"])
            await other.until(lambda: other.followed == {"a"})
            one.broker.publish("a", b"heard")
            await other.until(lambda: other.payloads == [b"heard"])
        wrong = Listening(redis_broker(server.url.replace("secret", "guess")))
        async with trio.open_nursery() as nursery:
            await nursery.start(wrong.broker.run)
            await wrong.until(lambda: "AuthenticationError" in str(wrong.broker.state.error))
            assert "guess" not in str(wrong.broker.state.error)
            assert wrong.broker.state.status is BrokerStatus.AWAY
            nursery.cancel_scope.cancel()


async def test_a_cluster_carries_each_channel_by_the_master_of_its_slot(redis_cluster: Sequence[RedisServer]) -> None:
    brokers = [redis_broker(redis_cluster[0].url, cluster=True), redis_broker(redis_cluster[1].url, cluster=True)]
    channels = CHANNELS[:300]
    async with open_brokers(*brokers) as (one, other):
        other.broker.follow(channels)
        await other.until(lambda: other.followed == set(channels))
        shards = [
            {name.decode() for name in server.command("PUBSUB", "SHARDCHANNELS", "channel.*")}
            for server in redis_cluster
        ]
        assert all(len(shard) > 50 for shard in shards)
        assert set().union(*shards) == set(channels)
        for channel in channels:
            one.broker.publish(channel, channel.encode())
        await other.until(lambda: len(other.payloads) == len(channels))
        assert set(other.payloads) == {channel.encode() for channel in channels}
        for key in ("a", "b", "c", "d"):
            assert await brokers[0].call(key, [("SET", key, 1), ("GET", key)]) == [b"OK", b"1"]


async def test_over_tls_as_the_url_says_it_speaks_to_who_has_a_trusted_certificate_only(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    pem = certificate(tmp_path)
    async with tls_before(own_redis.port, pem) as port:
        trusting = redis_broker(f"rediss://127.0.0.1:{port}?ssl_ca_certs={pem}")
        async with open_brokers(trusting, redis_broker(own_redis.url)) as both:
            both[1].broker.follow(["secret"])
            await both[1].until(lambda: both[1].followed == {"secret"})
            assert both[0].broker.publish("secret", b"told")
            await both[1].until(lambda: both[1].payloads == [b"told"])
            doubting = redis_broker(f"rediss://127.0.0.1:{port}")
            async with trio.open_nursery() as nursery:
                await nursery.start(doubting.run)
                await Listening(doubting).until(lambda: "CERTIFICATE_VERIFY_FAILED" in (doubting.state.error or ""))
                assert doubting.state.status is BrokerStatus.AWAY
                nursery.cancel_scope.cancel()
