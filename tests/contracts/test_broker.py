"""The contract of `Broker`, on the twin, on Valkey, and on a cluster of three."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager

import pytest
import trio

from actors.bridge.broker import Away, Back, Broker, BrokerStatus
from tests.kit.brokers import BrokerMaker, Listening, memory_maker, redis_maker
from tests.kit.redis import own_redis_cluster, own_redis_server

Open = Callable[[], Awaitable[Listening]]
CHANNELS = [f"channel.{number}" for number in range(40)]


@pytest.fixture(params=["memory", "redis", "cluster"])
def maker(request: pytest.FixtureRequest) -> Generator[BrokerMaker]:
    match request.param:
        case "memory":
            yield memory_maker()
        case "redis":
            with own_redis_server() as server:
                yield redis_maker([server])
        case _:
            with own_redis_cluster() as servers:
                yield redis_maker(servers)


@asynccontextmanager
async def running(broker: Broker) -> AsyncGenerator[Listening]:
    listening = Listening(broker)
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        nursery.start_soon(listening.run)
        await listening.until(lambda: broker.state.status is BrokerStatus.UP)
        yield listening
        nursery.cancel_scope.cancel()


@pytest.fixture
def open_broker(maker: BrokerMaker, nursery: trio.Nursery) -> Open:
    """Makes brokers that run, up, until the test ends."""

    async def make() -> Listening:
        listening = Listening(maker.make())
        await nursery.start(listening.broker.run)
        nursery.start_soon(listening.run)
        await listening.until(lambda: listening.broker.state.status is BrokerStatus.UP)
        return listening

    return make


async def test_before_it_runs_it_is_away_and_accepts_nothing(maker: BrokerMaker) -> None:
    broker = maker.make()
    assert broker.state.status is BrokerStatus.AWAY
    assert not broker.publish("a", b"lost")
    assert broker.state.refused == 1


async def test_who_follows_receives_from_all_in_the_order_of_each_publisher(open_broker: Open) -> None:
    one, other = await open_broker(), await open_broker()
    for each in (one, other):
        each.broker.follow(["a"])
        await each.until(lambda each=each: each.followed == {"a"})
    for number in range(200):
        assert one.broker.publish("a", b"one %d" % number)
        assert other.broker.publish("a", b"other %d" % number)
    for each in (one, other):
        await each.until(lambda each=each: len(each.payloads) == 400)
        for name in (b"one", b"other"):
            mine = [payload for payload in each.payloads if payload.startswith(name + b" ")]
            assert mine == [b"%s %d" % (name, number) for number in range(200)]
    await one.until(lambda: one.broker.state.outbox == 0)
    assert one.broker.state.published == 200
    assert one.broker.state.received == 400


async def test_only_what_is_followed_is_received_and_any_bytes_arrive(open_broker: Open) -> None:
    one, other = await open_broker(), await open_broker()
    other.broker.follow(["a", "b"])
    await other.until(lambda: other.followed == {"a", "b"})
    other.broker.unfollow(["a"])
    other.broker.follow(["c"])
    await other.until(lambda: "c" in other.followed)
    raw = bytes(range(256)) + b"\r\n$-1\r\n"
    for channel in ("a", "b", "c"):
        one.broker.publish(channel, channel.encode() + raw)
    await other.until(lambda: len(other.payloads) == 2)
    assert sorted(other.payloads) == [b"b" + raw, b"c" + raw]


async def test_following_again_is_confirmed_again(open_broker: Open) -> None:
    one = await open_broker()
    one.broker.follow(["a"])
    await one.until(lambda: one.followed == {"a"})
    one.broker.unfollow(["a"])
    one.happenings.clear()
    one.broker.follow(["a"])
    await one.until(lambda: one.followed == {"a"})
    one.broker.publish("a", b"heard")
    await one.until(lambda: one.payloads == [b"heard"])


async def test_after_an_absence_all_that_is_followed_is_in_force_again(maker: BrokerMaker, open_broker: Open) -> None:
    one, other = await open_broker(), await open_broker()
    other.broker.follow(CHANNELS[:-1])
    await other.until(lambda: other.followed == set(CHANNELS[:-1]))
    for each in (one, other):
        each.happenings.clear()
    maker.take_away()
    for each in (one, other):
        await each.until(lambda each=each: bool(each.of(Away)))
        assert each.broker.state.status is BrokerStatus.AWAY
        assert each.broker.state.error
        assert not each.broker.publish("a", b"lost")
    other.broker.follow(CHANNELS[-1:])
    other.broker.unfollow(CHANNELS[:1])
    maker.give_back()
    await other.until(lambda: other.followed == set(CHANNELS[1:]))
    for each in (one, other):
        await each.until(lambda each=each: bool(each.of(Back)))
        assert each.broker.state.reconnects >= 2
    for channel in CHANNELS:
        assert one.broker.publish(channel, channel.encode())
    await other.until(lambda: len(other.payloads) == len(CHANNELS) - 1)
    assert set(other.payloads) == {channel.encode() for channel in CHANNELS[1:]}


async def test_it_can_run_again_after_a_cancellation(maker: BrokerMaker) -> None:
    broker = maker.make()
    broker.follow(["a"])
    for _ in range(2):
        async with running(broker) as listening:
            await listening.until(lambda listening=listening: "a" in listening.followed)
            broker.publish("a", b"heard")
            await listening.until(lambda listening=listening: listening.payloads == [b"heard"])
        assert broker.state.status is BrokerStatus.AWAY
