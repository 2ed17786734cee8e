"""What a session leaves behind when it has ended: nothing, and without the garbage collector, which hardly runs."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import trio.testing
from trio.testing import MockClock

from chathttp.edge.timer_wheel import Timer
from chathttp.session.link import Link
from chathttp.session.liveness import Liveness
from chathttp.session.sending import Sender
from chathttp.session.subscribing import Subscriber
from chathttp.session.subscriptions import NotificationListener, TopicSubscription
from chathttp.stomp.decoder import Decoder
from chathttp.stomp.session_state import StompServerProtocol
from tests.kit.house import open_house
from tests.kit.session import MemoryClient, MemoryTransport
from tests.kit.talk import send, subscribe, topic, two

PARTS = (
    *(Link, Liveness, Sender, Subscriber, TopicSubscription, NotificationListener, Timer),
    *(StompServerProtocol, MemoryTransport),
)


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def hang_up(client: MemoryClient) -> None:
    client.transport.hang_up()


def break_off(client: MemoryClient) -> None:
    client.transport.put("NONSENSE\n\n\0")


def say_goodbye(client: MemoryClient) -> None:
    client.send("DISCONNECT", receipt="bye")


def parts() -> Counter[str]:
    return Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, (*PARTS, Decoder)))


async def say_something(client: MemoryClient, group: UUID) -> None:
    """To every actor: it keeps the last message that it has handled until the next one comes."""
    for destination in ("/user/queue/notification", topic(group)):
        await subscribe(client, destination)
        client.send("UNSUBSCRIBE", id="s")
    await client.settled()


@pytest.mark.parametrize("end", [hang_up, break_off, say_goodbye])
@pytest.mark.parametrize("replaying", [False, True])
async def test_a_session_is_freed_when_it_has_ended(
    autojump_clock: MockClock, end: Callable[[MemoryClient], None], replaying: bool
) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        bystander = await house.client(bob)
        await say_something(bystander, group)
        before = parts()
        client = await house.client(alice, "10000,10000")
        await subscribe(client, topic(group), last_seq="0")
        await subscribe(client, topic(group, ".typing"), "t")
        await subscribe(client, "/user/queue/notification", "n")
        await subscribe(client, "/user/queue/errors", "e")
        send(client, group, "hello", receipt="sent")
        await client.settled()
        if replaying:
            client.transport.congested = True
            client.send("SUBSCRIBE", id="again", destination=topic(group), last_seq="0")
            await client.settled()
            assert parts()["Subscriber"] == 2
        end(client)
        await trio.testing.wait_all_tasks_blocked()
        hang_up(client)
        del client
        await say_something(bystander, group)
        assert parts() == before
