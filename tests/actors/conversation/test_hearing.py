"""What one node commits reaches the subscribers of the others, once and in order, and costs the database little."""

from collections.abc import Sequence
from contextlib import suppress
from math import inf
from uuid import UUID

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.bridge.news import Advanced, Committed
from actors.conversation.messages import Heard, Post
from actors.conversation.policy import ConversationPolicy
from actors.runtime import EventKind as SupervisorKind
from actors.runtime import RestartIntensity
from actors.runtime.reply import Reply
from actors.users.messages import Listen
from chatcore.errors import ChatError
from chatcore.model import Appended
from tests.kit.conversations import Node, open_town
from tests.kit.listeners import Ear


def seqs(news: Committed) -> tuple[int, list[int]]:
    return news.prev_rev, [event.rev for event in news.events]


async def test_posts_edits_and_deletes_are_told_once_each_append_and_need_no_database_elsewhere() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        first = await here.post(room, alice, "one")
        here.send(room, alice, "two", "three")
        await wait_all_tasks_blocked()
        reads = town.faults.calls["events"], town.faults.calls["load"]
        await here.edit(room, first.id, alice, "ONE")
        await here.delete(room, first.id, alice)
        await wait_all_tasks_blocked()
        assert [seqs(news) for news in here.line.told_of(Committed)] == [(0, [1]), (1, [2, 3]), (3, [4]), (4, [5])]
        assert [(event.kind.value, event.rev) for event in his.events] == [
            ("message.created", 1),
            ("message.created", 2),
            ("message.created", 3),
            ("message.updated", 4),
            ("message.deleted", 5),
        ]
        assert (town.faults.calls["events"], town.faults.calls["load"]) == reads == (0, 2)
        assert there.line.told_of(Committed) == there.line.told_of(Advanced) == []


async def test_the_sender_is_answered_then_the_other_nodes_are_told_then_the_subscribers_here() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, _ = await town.pair()
        here = town.node
        order: list[str] = []
        hers = await here.listen(room, alice)

        def answered(_: Appended | ChatError) -> None:
            order.append(f"answered with {len(here.line.told_of(Committed))} told")

        hers.on_deliver = lambda: order.append(f"delivered with {len(here.line.told_of(Committed))} told")
        here.tell(room, Post(here.message(room, alice, "one"), Reply[Appended].to(answered, inf)))
        await wait_all_tasks_blocked()
        assert order == ["answered with 0 told", "delivered with 1 told"]


async def test_what_failed_or_was_a_repeat_is_not_told() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, _ = await town.pair()
        (stranger,) = await town.people(1)
        here = town.node
        await here.post(room, alice, "one", key="k")
        await here.post(room, alice, "one", key="k")
        with pytest.raises(ChatError):
            await here.post(room, stranger, "no")
        town.faults.fail_next(method="append")
        with pytest.raises(ChatError):
            await here.post(room, alice, "lost")
        await here.change_name(room, alice, "Name")
        await here.change_name(room, alice, "Name")
        assert [type(news) for news in here.line.told] == [Committed, Advanced]


async def test_a_node_follows_exactly_its_live_conversations(autojump_clock: MockClock) -> None:
    policy = ConversationPolicy(idle_seconds=5)
    intensity = RestartIntensity(max_restarts=1, within=10.0, backoff_initial=0.01, backoff_max=0.05)
    async with open_town(policy, intensity=intensity, joined=True) as town:
        room, alice, bob = await town.pair()
        node = town.node
        following = node.line.following
        his = await node.listen(room, bob)
        await trio.sleep(60)
        assert following == {room}
        node.leave(room, his)
        await trio.sleep(60)
        assert following == set()
        await node.post(room, alice, "anew")
        assert following == {room}
        his = await node.listen(room, bob)
        node.encoder.crashes = 2
        with suppress(ChatError):
            await node.post(room, alice, "one")
        await trio.sleep(1)
        assert node.count(SupervisorKind.QUARANTINED) == 1
        assert following == set()
        await trio.sleep(60)
        assert following == {room}
        assert his.texts == ["one"]


async def test_a_conversation_is_followed_before_it_is_read_from_the_database() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await here.position(room, alice)
        town.faults.pause("load")
        there.send(room, bob, "mine")
        await wait_all_tasks_blocked()
        assert room in there.line.following
        town.faults.resume("load")
        await wait_all_tasks_blocked()
        assert town.texts(room) == ["mine"]


async def test_an_unknown_conversation_is_not_followed_on() -> None:
    async with open_town(joined=True) as town:
        (alice,) = await town.people(1)
        with pytest.raises(ChatError):
            await town.node.position(town.new_id(), alice)
        await wait_all_tasks_blocked()
        assert town.node.line.following == set()


async def test_what_others_write_does_not_keep_a_conversation_that_nobody_here_uses(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(idle_seconds=10), nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await there.position(room, bob)
        for number in range(50):
            await here.post(room, alice, f"{number}")
            await trio.sleep(0.7)
        assert there.line.following == set()


async def hear_apart(node: Node, room: UUID, told: Sequence[Committed]) -> None:
    for each in told:
        node.tell(room, Heard(each))
    await wait_all_tasks_blocked()


async def test_what_was_lost_before_a_batch_is_read_once_without_the_members() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        for number in range(10):
            await here.post(room, alice, f"{number}")
        calls = town.faults.calls.copy()
        await hear_apart(there, room, here.line.told_of(Committed)[4:])
        assert his.seqs == list(range(1, 11))
        assert town.faults.calls["events"] == calls["events"] + 1
        assert town.faults.calls["load"] == calls["load"]
        assert (await there.marks(room))[alice].read_seq == 10


async def test_a_batch_full_of_gaps_costs_two_reads_at_most() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        for number in range(20):
            await here.post(room, alice, f"{number}")
        calls = town.faults.calls.copy()
        await hear_apart(there, room, here.line.told_of(Committed)[1::2])
        assert his.seqs == list(range(1, 21))
        assert town.faults.calls["load"] == calls["load"] + 1
        assert town.faults.calls["events"] == calls["events"] + 2


async def test_gaps_with_other_news_between_cost_no_more() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        for number in range(21):
            await here.post(room, alice, f"{number}")
        calls = town.faults.calls.copy()
        for each in (each for place, each in enumerate(here.line.told_of(Committed)) if place % 3):
            there.tell(room, Heard(each))
            there.tell(room, Heard(Advanced(0)))
        await wait_all_tasks_blocked()
        assert his.seqs == list(range(1, 22))
        assert town.faults.calls["load"] == calls["load"] + 1
        assert town.faults.calls["events"] == calls["events"] + 2


async def test_what_is_doubled_and_out_of_order_is_delivered_once_in_order() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        for number in range(6):
            await here.post(room, alice, f"{number}")
        told = here.line.told_of(Committed)
        await hear_apart(there, room, [told[0], told[0], told[2], told[1], told[5], told[3], told[4], told[5]])
        assert his.seqs == list(range(1, 7))


async def test_a_rev_in_the_gap_that_no_message_explains_has_the_members_read_first() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, hers = await there.listen(room, bob), await there.listen(room, alice)
        town.hub.away = True
        await here.post(room, alice, "before")
        await here.remove(room, alice, bob)
        await here.post(room, alice, "after")
        town.hub.away = False
        await here.post(room, alice, "told")
        await wait_all_tasks_blocked()
        assert (his.ended, his.events) == (True, [])
        assert hers.texts == ["before", "after", "told"]


async def test_a_member_removed_elsewhere_is_cut_off_at_once_and_one_added_may_come() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        (carol,) = await town.people(1)
        here, there = town.nodes
        his = await there.listen(room, bob)
        await here.remove(room, alice, bob)
        await wait_all_tasks_blocked()
        assert his.ended
        await here.add(room, alice, carol)
        await wait_all_tasks_blocked()
        loads = town.faults.calls["load"]
        await there.post(room, carol, "hello")
        assert town.faults.calls["load"] == loads


async def test_a_member_removed_while_nothing_comes_through_is_cut_off_by_the_sweep() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        await here.remove(room, alice, bob)
        there.line.sweep()
        await wait_all_tasks_blocked()
        assert his.ended


async def test_a_sweep_that_finds_nothing_new_reads_nothing() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await there.listen(room, bob)
        await here.post(room, alice, "one")
        await trio.lowlevel.checkpoint()
        await there.marks(room)
        calls = town.faults.calls.copy()
        there.line.sweep()
        await wait_all_tasks_blocked()
        assert town.faults.calls == calls


async def test_a_catching_up_that_fails_is_tried_again(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        town.hub.away = True
        await here.post(room, alice, "one")
        town.hub.away = False
        town.faults.fail_next(method="events")
        town.faults.fail_next(method="load")
        await here.post(room, alice, "two")
        await wait_all_tasks_blocked()
        assert his.events == []
        await trio.sleep(5)
        assert his.texts == ["one", "two"]


async def test_a_post_of_unknown_outcome_is_found_and_the_others_hear_that_something_is_there(
    autojump_clock: MockClock,
) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, ear = await there.listen(room, bob), Ear(bob)
        there.users.tell(Listen(ear))
        town.faults.fail_next(method="append", after_commit=True)
        with pytest.raises(ChatError):
            await here.post(room, alice, "one")
        assert his.events == []
        await trio.sleep(5)
        assert his.texts == ["one"]
        assert [note["text"] for note in ear.heard] == ["one"]


async def test_what_was_committed_before_a_crash_reaches_the_others(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his = await there.listen(room, bob)
        await here.listen(room, alice)
        town.faults.fail_next(RuntimeError("boom"), method="append", after_commit=True)
        await here.post(room, alice, "one")
        await trio.sleep(1)
        assert here.count(SupervisorKind.CRASHED) == 1
        assert his.texts == ["one"]


async def test_messages_of_others_count_as_delivered_to_who_is_here(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        await there.listen(room, bob)
        await here.post(room, alice, "one")
        await trio.sleep(5)
        assert town.stored(room, bob) == (0, 1)
        assert (await here.marks(room))[bob].delivered_seq == 1
        assert (await there.marks(room))[alice].read_seq == 1


async def test_an_append_whose_parts_had_others_changes_between_is_told_and_delivered_in_order() -> None:
    async with open_town(nodes=2, joined=True) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        his, hers = await there.listen(room, bob), await here.listen(room, alice)
        first = here.message(room, alice, "stored before")
        await here.chat.log.append([first])
        await there.post(room, bob, "between")
        for message in (first, here.message(room, alice, "last")):
            here.tell(room, Post(message, Reply[Appended].discard()))
        await wait_all_tasks_blocked()
        assert his.texts == hers.texts == ["stored before", "between", "last"]
        assert [(news.prev_rev, len(news.events)) for news in here.line.told_of(Committed)] == [(0, 1), (2, 1)]
