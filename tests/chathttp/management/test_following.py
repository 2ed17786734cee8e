"""Messages followed over the console's interface."""

import threading
import time
from uuid import UUID, uuid4

import pytest
import trio

from actors.runtime.mailbox import Mailbox
from actors.tracing.hops import Hop, Tracing
from chatconsole.api.following import HopName
from chatcore.model import NewMessage
from chathttp.management.server import PATIENCE, ManagementOptions
from tests.chathttp.edge.edge_kit import until
from tests.kit.console import PlantedNode, console
from tests.kit.management_thread import ManagementThread
from tests.kit.talk_console import talking, talking_to

ROOM = UUID(int=3)


def new(client: str | None = None) -> NewMessage:
    return NewMessage(uuid4(), ROOM, UUID(int=4), "text", client, None)


def test_interface_knows_every_hop() -> None:
    assert {each.value for each in HopName} == {each.value for each in Hop}


async def test_followed_message_is_told_hop_by_hop_and_the_sender_by_a_pseudonym() -> None:
    node = PlantedNode()
    async with console(node) as client, talking(client) as talk:
        begun = await talk.ask(op="follow", id=1, conversation=str(ROOM), every=0.1)
        assert (begun, Tracing.by) == ({"type": "traces", "id": 1, "traces": [], "dropped": 0}, node.tracer)
        message = new("c-1")
        node.tracer.begin(message)
        node.tracer.pass_by([message.id], Hop.STORE_QUEUED, "1 wait")
        answer = await talk.hear()
        assert (answer["type"], answer["id"], answer["dropped"]) == ("traces", 1, 0)
        [trace] = answer["traces"]
        assert (trace["message"], trace["clientMessageId"], trace["outcome"]) == (str(message.id), "c-1", "open")
        assert trace["user"].startswith("user-")
        [leg] = trace["legs"]
        assert (leg["here"], leg["behind"]) == (True, None)
        assert [(hop["name"], hop["says"]) for hop in leg["hops"]] == [("parsed", ""), ("store-queued", "1 wait")]
        await talk.say(op="stop", id=1)
        await until(lambda: Tracing.by is None)


async def test_nobody_follows_once_the_connection_is_gone() -> None:
    node = PlantedNode()
    async with console(node) as client:
        async with talking(client) as talk:
            await talk.say(op="follow", id=1)
            await until(lambda: Tracing.by is node.tracer)
        await until(lambda: (Tracing.by, Mailbox.on_accepted) == (None, None))


@pytest.mark.parametrize("wrong", [{"conversation": "none"}, {"count": 0}])
async def test_what_cannot_be_followed_is_refused(wrong: dict[str, object]) -> None:
    async with console() as client, talking(client) as talk:
        answer = await talk.ask(op="follow", id=1, **wrong)
        assert (answer["type"], answer["errorCode"]) == ("refused", "VALIDATION_ERROR")


async def test_following_begins_once_the_loop_is_free_and_tells_when_it_has() -> None:
    node = PlantedNode()
    with ManagementThread(node) as thread:
        beacon = await trio.to_thread.run_sync(thread.start, thread.make(ManagementOptions()))
        async with talking_to(beacon.port, beacon.token) as talk, trio.open_nursery() as nursery:
            blocked = threading.Event()
            await nursery.start(thread.block_until, blocked)
            await talk.say(op="follow", id=1, every=0.1)
            looked = await talk.ask(op="look", id=2, view={"sections": ["loop"]})
            assert (looked["id"], looked["snapshot"]["loop"]["blocked"]["ended"]) == (2, False)
            assert Tracing.by is None
            blocked.set()
            begun = await talk.hear()
            assert (begun["type"], begun["traces"], Tracing.by) == ("traces", [], node.tracer)
        await until(lambda: Tracing.by is None)


async def test_what_was_told_to_nobody_because_the_loop_was_blocked_is_told_afterwards() -> None:
    node = PlantedNode()
    with ManagementThread(node) as thread:
        beacon = await trio.to_thread.run_sync(thread.start, thread.make(ManagementOptions()))
        async with talking_to(beacon.port, beacon.token) as talk:
            await talk.ask(op="follow", id=1, every=0.1)
            for _ in range(5):
                message = new()

                def begin_and_block(message: NewMessage = message) -> None:
                    node.tracer.begin(message)
                    time.sleep(2 * PATIENCE)

                await thread.run(begin_and_block)
                answer = await talk.hear()
                assert [trace["message"] for trace in answer["traces"]] == [str(message.id)]
