"""The contract of `MessageLog`."""

from collections.abc import Sequence

import pytest
import trio

from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, EventKind, NewMessage, Role
from chatcore.validation import MAX_TEXT
from tests.kit.chat import Chat, appended


def code_of(outcome: object) -> ErrorCode:
    assert isinstance(outcome, ChatError), outcome
    return outcome.code


async def test_messages_are_numbered_in_the_given_order_over_calls_and_conversations(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    one, two = await chat.group(ann, bob), await chat.group(ann)
    first = await chat.post(
        chat.message(one, ann, "a"), chat.message(two, ann, "b"), chat.message(one, bob, "c"), chat.message(one, ann)
    )
    second = await chat.say(one, bob, "d")
    assert [(each.seq, each.rev, each.was_new) for each in first + second] == [
        (1, 1, True),
        (1, 1, True),
        (2, 2, True),
        (3, 3, True),
        (4, 4, True),
    ]
    stored = await chat.history.oldest(one, after_seq=0, limit=10)
    assert [(each.seq, each.text, each.sender_id) for each in stored] == [
        (1, "a", ann),
        (2, "c", bob),
        (3, "hello", ann),
        (4, "d", bob),
    ]
    times = [each.created_at for each in stored]
    assert times == sorted(times)
    assert [each.id for each in stored] == [first[0].id, first[2].id, first[3].id, second[0].id]
    after = await chat.load(one)
    assert (after.first_seq, after.last_seq, after.rev, after.last_message) == (1, 4, 4, stored[-1])
    assert after.updated_at >= times[-1]


async def test_an_empty_call_has_no_outcomes(chat: Chat) -> None:
    assert await chat.log.append([]) == []


async def test_a_repeated_client_message_id_gives_the_first_message(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    first, repeated, other = await chat.post(
        chat.message(room, ann, "first", "x"), chat.message(room, ann, "second", "x"), chat.message(room, ann)
    )
    assert (first.was_new, repeated.was_new, other.was_new) == (True, False, True)
    assert (repeated.id, repeated.seq, repeated.rev) == (first.id, 1, 1)
    assert repeated.created_at == first.created_at
    assert other.seq == 2
    [later] = await chat.post(chat.message(room, ann, "third", "x"))
    assert (later.id, later.seq, later.was_new) == (first.id, 1, False)
    assert [each.text for each in await chat.history.oldest(room, after_seq=0, limit=9)] == ["first", "hello"]
    assert (await chat.load(room)).rev == 2


async def test_a_repeat_gives_the_message_in_its_present_form(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    [first] = await chat.post(chat.message(room, ann, "first", "x"))
    await chat.log.edit(room, first.id, ann, "edited")
    [again] = await chat.post(chat.message(room, ann, "first", "x"))
    assert again == Appended(first.id, 1, 2, first.created_at, was_new=False)


async def test_client_message_ids_are_the_senders_and_the_conversations_own(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    one, two = await chat.group(ann, bob), await chat.group(ann, bob)
    outcomes = await chat.post(
        chat.message(one, ann, "a", "x"), chat.message(one, bob, "b", "x"), chat.message(two, ann, "c", "x")
    )
    assert [(each.seq, each.was_new) for each in outcomes] == [(1, True), (2, True), (1, True)]


async def test_messages_without_a_client_message_id_are_never_repeats(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    outcomes = await chat.say(room, ann, "same", "same")
    assert [(each.seq, each.was_new) for each in outcomes] == [(1, True), (2, True)]


@pytest.mark.parametrize("client_message_id", [None, "x"])
async def test_the_same_message_given_again_is_stored_once_and_is_new_again(
    chat: Chat, client_message_id: str | None
) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    message = chat.message(room, ann, client_message_id=client_message_id)
    [first] = await chat.post(message)
    await chat.log.edit(room, first.id, ann, "edited")
    later = chat.message(room, ann)
    again, other = await chat.post(message, later)
    assert again == Appended(message.id, 1, 2, first.created_at, was_new=True)
    assert (other.seq, other.rev, other.was_new) == (2, 3, True)
    await chat.conversations.remove_member(room, ann, ann)
    assert await chat.post(message) == [again]


@pytest.mark.parametrize("client_message_id", [None, "x"])
async def test_the_same_message_twice_in_a_call_is_a_repeat(chat: Chat, client_message_id: str | None) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    message = chat.message(room, ann, client_message_id=client_message_id)
    one, two = await chat.post(message, message)
    assert (one.id, one.seq, one.was_new) == (two.id, two.seq, True)
    assert not two.was_new


async def test_what_is_refused_is_refused_alone_and_leaves_no_gap(chat: Chat) -> None:
    ann, stranger = await chat.people(2)
    room, elsewhere = await chat.group(ann), await chat.group(ann)
    [foreign] = await chat.say(elsewhere, ann, "not here")
    outcomes = await chat.log.append(
        [
            chat.message(room, ann, "one"),
            chat.message(chat.new_id(), ann),
            chat.message(room, stranger),
            chat.message(room, ann, reply_to=chat.new_id()),
            chat.message(room, ann, reply_to=foreign.id),
            chat.message(room, ann, "a\x00b"),
            chat.message(room, ann, "\ud83d"),
            chat.message(room, ann, "x" * (MAX_TEXT + 1)),
            chat.message(room, ann, client_message_id="not\nprintable"),
            chat.message(room, ann, "two"),
        ]
    )
    assert [each.seq for each in appended([outcomes[0], outcomes[-1]])] == [1, 2]
    assert [code_of(each) for each in outcomes[1:-1]] == [
        ErrorCode.NOT_FOUND,
        ErrorCode.FORBIDDEN,
        *[ErrorCode.VALIDATION_ERROR] * 6,
    ]
    last = await chat.load(room)
    assert (last.last_seq, last.rev) == (2, 2)


async def test_a_text_of_the_greatest_length_is_stored_as_it_is(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    text = "\U0001f600" * MAX_TEXT
    await chat.say(room, ann, text)
    [stored] = await chat.history.oldest(room, after_seq=0, limit=1)
    assert stored.text == text


async def test_a_reply_names_its_message(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    [first] = await chat.say(room, ann, "question")
    await chat.post(chat.message(room, ann, "answer", reply_to=first.id))
    [answer] = await chat.history.newest(room, before_seq=3, limit=1)
    assert answer.reply_to == first.id


@pytest.mark.contract("sending moves the sender's marks")
async def test_sending_moves_the_senders_marks_to_his_message_and_nobody_elses(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.post(chat.message(room, ann), chat.message(room, bob), chat.message(room, ann), chat.message(room, bob))
    await chat.post(chat.message(room, ann))
    marks = {
        each.user_id: (each.last_read_seq, each.last_delivered_seq) for each in (await chat.load(room)).participants
    }
    assert marks == {ann: (5, 5), bob: (4, 4)}


async def test_a_repeat_moves_no_marks(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    await chat.post(chat.message(room, ann, client_message_id="x"))
    await chat.say(room, bob, "next")
    await chat.post(chat.message(room, ann, client_message_id="x"))
    marks = {each.user_id: each.last_read_seq for each in (await chat.load(room)).participants}
    assert marks == {ann: 1, bob: 2}


async def test_a_removed_member_may_not_write(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    [mine] = await chat.post(chat.message(room, bob, client_message_id="x"))
    await chat.conversations.remove_member(room, ann, bob)
    [refused] = await chat.log.append([chat.message(room, bob, client_message_id="x")])
    assert code_of(refused) is ErrorCode.FORBIDDEN
    with pytest.raises(ChatError) as edit:
        await chat.log.edit(room, mine.id, bob, "changed")
    assert edit.value.code is ErrorCode.FORBIDDEN
    with pytest.raises(ChatError) as deletion:
        await chat.log.delete(room, mine.id, bob, moderator=False)
    assert deletion.value.code is ErrorCode.FORBIDDEN


async def test_an_edit_changes_the_text_and_raises_the_rev(chat: Chat) -> None:
    ann = await chat.user("Ann")
    room = await chat.group(ann)
    first, _ = await chat.say(room, ann, "one", "two")
    event = await chat.log.edit(room, first.id, ann, "changed")
    assert (event.kind, event.rev) == (EventKind.UPDATED, 3)
    message = event.message
    assert (message.text, message.seq, message.created_rev, message.rev) == ("changed", 1, 1, 3)
    assert (message.sender_name, message.deleted_at) == ("Ann", None)
    assert message.edited_at is not None
    assert message.edited_at >= message.created_at == first.created_at
    assert await chat.history.find([first.id]) == [message]
    after = await chat.load(room)
    assert (after.rev, after.last_seq) == (3, 2)


async def test_only_the_sender_edits_and_only_what_is_there(chat: Chat) -> None:
    ann, bob, stranger = await chat.people(3)
    room = await chat.group(ann, bob)
    message, gone = await chat.say(room, ann, "one", "two")
    await chat.log.delete(room, gone.id, ann, moderator=False)
    before = await chat.load(room)
    cases = [
        (chat.new_id(), message.id, ann, ErrorCode.NOT_FOUND),
        (room, chat.new_id(), ann, ErrorCode.NOT_FOUND),
        (room, message.id, bob, ErrorCode.FORBIDDEN),
        (room, message.id, stranger, ErrorCode.FORBIDDEN),
        (room, gone.id, ann, ErrorCode.CONFLICT),
    ]
    for conversation_id, message_id, editor_id, code in cases:
        with pytest.raises(ChatError) as refusal:
            await chat.log.edit(conversation_id, message_id, editor_id, "changed")
        assert refusal.value.code is code
    with pytest.raises(ChatError) as refusal:
        await chat.log.edit(room, message.id, ann, "a\x00")
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR
    assert await chat.load(room) == before


@pytest.mark.contract("a deleted message is a tombstone")
async def test_a_deleted_message_stays_as_a_tombstone(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    first, last = await chat.say(room, ann, "one", "two")
    event = await chat.log.delete(room, last.id, ann, moderator=False)
    assert event is not None
    assert (event.kind, event.rev) == (EventKind.DELETED, 3)
    assert (event.message.text, event.message.seq, event.message.rev) == ("", 2, 3)
    assert event.message.deleted_at is not None
    assert await chat.log.delete(room, last.id, ann, moderator=False) is None
    after = await chat.load(room)
    assert (after.rev, after.last_seq, after.last_message) == (3, 2, event.message)
    assert [each.id for each in await chat.history.oldest(room, after_seq=0, limit=9)] == [first.id, last.id]


async def test_a_moderator_deletes_without_being_member_or_sender(chat: Chat) -> None:
    ann, bob, moderator = await chat.people(3)
    room = await chat.group(ann, bob)
    [message] = await chat.say(room, ann, "one")
    for user_id in (bob, moderator):
        with pytest.raises(ChatError) as refusal:
            await chat.log.delete(room, message.id, user_id, moderator=False)
        assert refusal.value.code is ErrorCode.FORBIDDEN
    for conversation_id, message_id in ((chat.new_id(), message.id), (room, chat.new_id())):
        with pytest.raises(ChatError) as refusal:
            await chat.log.delete(conversation_id, message_id, moderator, moderator=True)
        assert refusal.value.code is ErrorCode.NOT_FOUND
    assert await chat.log.delete(room, message.id, moderator, moderator=True) is not None


async def test_a_message_bears_its_senders_present_name(chat: Chat) -> None:
    ann = await chat.user("Ann")
    room = await chat.group(ann)
    [message] = await chat.say(room, ann, "one")
    await chat.users.update(ann, name="Anna", profile_picture_url=None)
    [found] = await chat.history.find([message.id], room)
    assert found.sender_name == "Anna"
    assert [(each.name, each.role) for each in (await chat.load(room)).participants] == [("Anna", Role.OWNER)]


async def test_a_large_call_keeps_its_order(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    messages = [NewMessage(chat.new_id(), room, ann, f"text {i}") for i in range(700)]
    outcomes = appended(await chat.log.append(messages))
    assert [(each.id, each.seq, each.rev) for each in outcomes] == [
        (message.id, i, i) for i, message in enumerate(messages, 1)
    ]


async def test_who_does_not_wait_is_told_later(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann)
    told: list[Sequence[Appended | ChatError] | Exception] = []
    was_told = trio.Event()

    def answered(answer: Sequence[Appended | ChatError] | Exception) -> None:
        told.append(answer)
        was_told.set()

    new = [chat.message(room, ann, "one"), chat.message(room, bob, "two"), chat.message(room, ann, "three")]
    assert chat.log.append_at_once(new, answered)
    assert told == []
    with trio.fail_after(10):
        await was_told.wait()
    [outcomes] = told
    assert not isinstance(outcomes, Exception)
    first, refused, second = outcomes
    assert code_of(refused) is ErrorCode.FORBIDDEN
    assert [(each.id, each.seq, each.was_new) for each in appended([first, second])] == [
        (new[0].id, 1, True),
        (new[2].id, 2, True),
    ]
