"""Who is online, as the sessions of one node tell it and are told."""

from uuid import UUID

import pytest
import trio
from trio.testing import MockClock

from actors.presence.policy import PresencePolicy
from tests.kit.house import House, open_house
from tests.kit.session import MemoryClient
from tests.kit.talk import body_of, subscribe, topic, two

SOON = 0.5
GRACE = PresencePolicy().grace + SOON


async def online(house: House, *user_ids: UUID) -> list[bool]:
    await trio.sleep(SOON)
    seen = await house.presence.lookup(user_ids)
    return [seen[user_id].online for user_id in user_ids]


async def told(client: MemoryClient, group: UUID) -> list[tuple[str, bool]]:
    """What the subscription has been told since."""
    await trio.sleep(SOON)
    frames = [frame for frame in await client.settled() if frame.command == "MESSAGE"]
    bodies = [body_of(frame) for frame in frames]
    assert all(frame.header("destination") == topic(group, ".presence") for frame in frames)
    assert all(body.keys() == {"conversationId", "userId", "online"} for body in bodies)
    assert all(body["conversationId"] == str(group) for body in bodies)
    return sorted((str(body["userId"]), body["online"] is True) for body in bodies)


async def test_a_session_counts_from_its_authentication_to_its_end_however_it_ends(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, _ = await two(house)
        silent, refused = house.open(), house.open().connect("no token")
        assert await online(house, alice, bob) == [False, False]
        assert house.presence.online_here == 0
        polite, rude, malformed = [await house.client(alice) for _ in range(3)]
        assert await online(house, alice, bob) == [True, False]
        polite.send("DISCONNECT", receipt="bye")
        rude.transport.hang_up()
        await trio.sleep(GRACE)
        assert await online(house, alice) == [True]
        malformed.transport.put(b"\xff\xff")
        await malformed.settled()
        malformed.transport.hang_up()
        polite.transport.hang_up()
        await trio.sleep(GRACE)
        assert await online(house, alice) == [False]
        assert house.presence.online_here == 0
        for client in (silent, refused):
            client.transport.hang_up()


async def test_sessions_that_are_cancelled_count_no_more(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, _, _ = await two(house)
        async with trio.open_nursery() as nursery:
            node, house.nursery = house.nursery, nursery
            await house.clients([alice, alice])
            assert await online(house, alice) == [True]
            nursery.cancel_scope.cancel()
        house.nursery = node
        await trio.sleep(GRACE)
        assert await online(house, alice) == [False]


@pytest.mark.contract("SUBSCRIBE /topic/conversation.{conversationId}.presence")
async def test_the_topic_tells_first_who_is_online_now_then_who_comes_and_goes(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        alice, bob, group = await two(house)
        hers = await house.client(alice)
        await trio.sleep(SOON)
        await subscribe(hers, topic(group, ".presence"))
        assert await told(hers, group) == [(str(alice), True)]
        his = await house.client(bob)
        assert await told(hers, group) == [(str(bob), True)]
        await subscribe(his, topic(group, ".presence"))
        assert await told(his, group) == sorted([(str(alice), True), (str(bob), True)])
        his.transport.hang_up()
        await trio.sleep(GRACE)
        assert await told(hers, group) == [(str(bob), False)]


async def test_who_is_no_member_is_refused(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        _, _, group = await two(house)
        stranger = await house.client(await house.user("mallory"))
        stranger.send("SUBSCRIBE", id="s", destination=topic(group, ".presence"), receipt="x")
        error = await stranger.expect("ERROR")
        assert (error.header("message"), error.header("receipt-id")) == ("FORBIDDEN", "x")
