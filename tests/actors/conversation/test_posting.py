"""Posts: one append for what waits together, answers after the commit, everybody the same order."""

from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.conversation.messages import Edit, Post
from actors.conversation.policy import ConversationPolicy
from actors.conversation.subscription import Topic
from chatcore.errors import ChatError, ErrorCode, forbidden, invalid, unavailable
from chatcore.model import Appended, Event, NewMessage
from tests.kit.conversations import Answer, open_town
from tests.kit.listening import Listening, PlainFormat


async def test_a_post_is_answered_with_its_place_and_reaches_every_subscription_the_senders_too(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        mine, his = await town.node.listen(room, alice), await town.node.listen(room, bob)
        first = await town.node.post(room, alice, "one")
        second = await town.node.post(room, bob, "two")
        assert (first.seq, first.rev, second.seq, second.rev) == (1, 1, 2, 2)
        await wait_all_tasks_blocked()
        for listening in (mine, his):
            assert listening.seqs == listening.revs == [1, 2]
            assert listening.texts == ["one", "two"]
        assert town.texts(room) == ["one", "two"]


async def test_what_waits_while_an_append_is_under_way_becomes_one_append(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        town.faults.pause("append")
        town.node.send(room, alice, "first")
        await wait_all_tasks_blocked()
        answers = town.node.send(room, alice, *(f"m{n}" for n in range(50)))
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert town.faults.calls["append"] == 2
        assert [answer.value.seq for answer in answers] == list(range(2, 52))
        assert listening.seqs == list(range(1, 52))
        assert listening.batches == 2


async def test_the_text_of_one_append_is_bounded(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(batch_bytes=100)) as town:
        room, alice, _ = await town.pair()
        await town.node.position(room, alice)
        answers = town.node.send(room, alice, *["x" * 40] * 7)
        await wait_all_tasks_blocked()
        assert town.faults.calls["append"] == 3
        assert [answer.value.seq for answer in answers] == list(range(1, 8))


async def test_messages_are_handled_in_the_order_in_which_they_came(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        first = await town.node.post(room, alice, "one")
        edited = Answer[Event]()
        town.node.send(room, alice, "two")
        town.node.tell(room, Edit(first.id, alice, "ONE", edited.reply()))
        town.node.send(room, alice, "three")
        await wait_all_tasks_blocked()
        assert edited.value.rev == 3
        assert listening.texts == ["one", "two", "ONE", "three"]
        assert listening.revs == [1, 2, 3, 4]


async def test_a_repeated_key_gives_the_first_message_and_delivers_nothing(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = await town.node.listen(room, bob)
        first = await town.node.post(room, alice, "one", key="k")
        again = await town.node.post(room, alice, "changed my mind", key="k")
        assert (again.id, again.seq, again.was_new) == (first.id, first.seq, False)
        answers = [Answer[Appended]() for _ in range(2)]
        for answer in answers:
            town.node.tell(room, Post(town.node.message(room, alice, "two", key="l"), answer.reply()))
        await wait_all_tasks_blocked()
        assert [answer.value.was_new for answer in answers] == [True, False]
        assert listening.texts == ["one", "two"]


async def test_a_repeat_of_a_message_that_this_node_has_not_seen_delivers_it_at_once(autojump_clock: MockClock) -> None:
    async with open_town(nodes=2) as town:
        room, alice, bob = await town.pair()
        here, there = town.nodes
        listening = await there.listen(room, bob)
        await here.post(room, alice, "one", key="k")
        await there.post(room, alice, "one", key="k")
        await wait_all_tasks_blocked()
        assert listening.texts == ["one"]


async def test_a_refused_message_does_not_sink_its_neighbours(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        (stranger,) = await town.people(1)
        listening = await town.node.listen(room, bob)
        bad = attrs.evolve(town.node.message(room, alice, "reply"), reply_to=town.new_id())
        answers = [Answer[Appended]() for _ in range(4)]
        messages = [
            town.node.message(room, alice, "one"),
            bad,
            town.node.message(room, stranger, "hello?"),
            town.node.message(room, bob, "two"),
        ]
        for message, answer in zip(messages, answers, strict=True):
            town.node.tell(room, Post(message, answer.reply()))
        await wait_all_tasks_blocked()
        assert answers[0].value.seq == 1
        assert answers[1].code is ErrorCode.VALIDATION_ERROR
        assert answers[2].code is ErrorCode.FORBIDDEN
        assert answers[3].value.seq == 2
        assert listening.texts == ["one", "two"]


async def test_a_conversation_that_does_not_exist_refuses_and_leaves_no_actor(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        (alice,) = await town.people(1)
        with pytest.raises(ChatError) as refusal:
            await town.node.post(town.new_id(), alice, "hello?")
        assert refusal.value.code is ErrorCode.NOT_FOUND
        await wait_all_tasks_blocked()
        assert len(town.node.conversations) == 0


async def test_a_stranger_costs_one_look_at_the_database_however_often_he_asks(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        (stranger,) = await town.people(1)
        await town.node.position(room, alice)
        before = town.faults.calls["load"]
        answers = town.node.send(room, stranger, *["let me in"] * 100)
        await wait_all_tasks_blocked()
        assert {answer.code for answer in answers} == {ErrorCode.FORBIDDEN}
        assert town.faults.calls["load"] == before + 1
        assert town.faults.calls["append"] == 0


async def test_one_who_was_added_elsewhere_just_now_may_write(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        (carol,) = await town.people(1)
        await town.node.position(room, alice)
        await town.node.chat.conversations.add_members(room, alice, [carol], max_members=10)
        assert (await town.node.post(room, carol, "hi")).seq == 1


async def test_one_who_was_removed_elsewhere_is_refused_by_the_database_and_cut_off(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        his = await town.node.listen(room, bob, Topic.TYPING)
        await town.node.chat.conversations.remove_member(room, alice, bob)
        with pytest.raises(ChatError) as refusal:
            await town.node.post(room, bob, "still here?")
        assert refusal.value.code is ErrorCode.FORBIDDEN
        await wait_all_tasks_blocked()
        assert his.ended


async def test_a_post_whose_sender_has_given_up_is_not_appended(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.position(room, alice)
        town.faults.pause("append")
        town.node.send(room, alice, "one")
        await wait_all_tasks_blocked()
        late = Answer[Appended]()
        town.node.tell(room, Post(town.node.message(room, alice, "two"), late.reply(trio.current_time() + 1)))
        await trio.sleep(2)
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert late.code is ErrorCode.UNAVAILABLE
        assert town.texts(room) == ["one"]


async def test_a_full_mailbox_refuses_as_overloaded_and_keeps_what_it_has(autojump_clock: MockClock) -> None:
    async with open_town(ConversationPolicy(mailbox_capacity=5)) as town:
        room, alice, _ = await town.pair()
        await town.node.position(room, alice)
        town.faults.pause("append")
        town.node.send(room, alice, "0")
        await wait_all_tasks_blocked()
        town.node.send(room, alice, *"12345")
        with pytest.raises(ChatError) as refusal:
            town.node.send(room, alice, "6")
        assert refusal.value.code is ErrorCode.OVERLOADED
        town.faults.resume("append")
        await wait_all_tasks_blocked()
        assert town.texts(room) == list("012345")


async def test_an_append_that_the_store_is_too_busy_for_is_refused_and_not_doubted(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.position(room, alice)
        loads = town.faults.calls["load"]
        town.faults.fail_next(ChatError(ErrorCode.OVERLOADED, "busy"), method="append")
        with pytest.raises(ChatError) as refusal:
            await town.node.post(room, alice, "one")
        assert refusal.value.code is ErrorCode.OVERLOADED
        await trio.sleep(50)
        assert town.faults.calls["load"] == loads


@pytest.mark.parametrize("error", [forbidden(), invalid("text", "is bad"), unavailable()])
async def test_a_refusal_that_the_members_here_did_not_foretell_reloads_them(
    autojump_clock: MockClock, error: ChatError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_town() as town:
        room, alice, _ = await town.pair()
        await town.node.position(room, alice)
        loads = town.faults.calls["load"]

        async def append(messages: Sequence[NewMessage]) -> list[Appended | ChatError]:
            return [error]

        monkeypatch.setattr(town.node.chat.log, "append", append)
        (answer,) = town.node.send(room, alice, "one")
        await wait_all_tasks_blocked()
        assert answer.code is error.code
        assert town.faults.calls["load"] == loads + (error.code is ErrorCode.FORBIDDEN)
        await trio.sleep(1.5)
        assert town.faults.calls["load"] == loads + (error.code is not ErrorCode.VALIDATION_ERROR)


async def test_formats_that_are_equal_share_frames_and_others_get_their_own(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        room, alice, bob = await town.pair()
        listening = [await town.node.listen(room, user) for user in (alice, bob)]
        other = Listening(bob, format=PlainFormat("other"))
        assert await town.node.attach(room, other)
        await town.node.post(room, alice, "one")
        await wait_all_tasks_blocked()
        assert [each.texts for each in (*listening, other)] == [["one"]] * 3
