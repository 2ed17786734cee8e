"""The contract of `AttachmentStore`, and how appends and deletions bind and discard attachments."""

from uuid import UUID

import pytest
import trio

from actors.attachments.ports import Attachment, Terms
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Appended, NewMessage
from tests.kit.chat import Chat


def refused(outcome: Appended | ChatError) -> bool:
    """For its attachments."""
    return isinstance(outcome, ChatError) and outcome.details is not None and set(outcome.details) == {"attachmentIds"}


async def with_attachments(chat: Chat, room: UUID, sender: UUID, *ids: UUID, repeat: str | None = None) -> NewMessage:
    await trio.lowlevel.checkpoint()
    return chat.message(room, sender, "", repeat, attachment_ids=ids)


async def test_a_promise_is_found_as_it_was_made_and_then_as_uploaded(chat: Chat) -> None:
    ann = await chat.user()
    promised = Attachment(chat.new_id(), ann, "a-key", "Grüße 😀.pdf", Terms("application/pdf", 2**31))
    await chat.attachments.promise(promised, upload_seconds=300.0, max_unused=1)
    assert await chat.attachments.find([promised.id, chat.new_id()]) == [promised]
    await chat.attachments.mark_uploaded([promised.id])
    (found,) = await chat.attachments.find([promised.id])
    assert found.uploaded
    assert found.message_id is None


async def test_a_promise_to_nobody_is_refused(chat: Chat) -> None:
    with pytest.raises(ChatError) as caught:
        await chat.attachment(chat.new_id())
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_unused_ones_are_limited_per_user_under_a_race_too(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    refusals: list[ChatError] = []

    async def promise(owner: UUID) -> None:
        new = Attachment(chat.new_id(), owner, str(chat.new_id()), "a", Terms("text/plain", 1))
        try:
            await chat.attachments.promise(new, upload_seconds=0.0, max_unused=3)
        except ChatError as refusal:
            refusals.append(refusal)

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(promise, ann)
    assert [each.code for each in refusals] == [ErrorCode.RATE_LIMITED] * 5
    assert all(each.retry_after for each in refusals)
    await promise(bob)
    assert len(refusals) == 5


async def test_an_append_binds_them_in_the_order_given(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    one, two, three = [await chat.attachment(ann) for _ in range(3)]
    plain, message, late = (
        chat.message(room, bob, "plain"),
        await with_attachments(chat, room, ann, three, one),
        chat.message(room, bob, "late"),
    )
    outcomes = await chat.post(plain, message, late)
    assert [(each.seq, each.rev, each.was_new) for each in outcomes] == [(1, 1, True), (2, 2, True), (3, 3, True)]
    stored = await chat.history.oldest(room, after_seq=0, limit=9)
    assert [each.attachment_ids for each in stored] == [(), (three, one), ()]
    assert [each.text for each in stored] == ["plain", "", "late"]
    bound = {each.id: each for each in await chat.attachments.find([one, two, three])}
    assert {(bound[each].conversation_id, bound[each].message_id) for each in (one, three)} == {(room, message.id)}
    assert bound[two].message_id is None


async def test_every_reading_shows_them(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    message = await with_attachments(chat, room, ann, image)
    await chat.post(message)
    history = chat.history
    pages = [
        await history.newest(room, before_seq=9, limit=9),
        await history.changed(room, after_rev=0, limit=9),
        [each.message for each in await history.events(room, after_rev=0, upto_rev=9, limit=9)],
        await history.find([message.id]),
        await history.find([message.id], room),
    ]
    assert [[each.attachment_ids for each in page] for page in pages] == [[(image,)]] * 5
    last = (await chat.load(room)).last_message
    assert last is not None
    assert last.attachment_ids == (image,)


async def test_what_is_foreign_unknown_not_uploaded_or_named_twice_is_refused_alone(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    mine, pending = await chat.attachment(ann), await chat.attachment(ann, uploaded=False)
    bobs = await chat.attachment(bob)
    outcomes = await chat.log.append(
        [
            await with_attachments(chat, room, ann, bobs),
            await with_attachments(chat, room, ann, chat.new_id()),
            await with_attachments(chat, room, ann, mine, pending),
            await with_attachments(chat, room, ann, mine, mine),
            chat.message(room, bob, "sound"),
            await with_attachments(chat, room, ann, mine),
        ]
    )
    assert [refused(each) for each in outcomes] == [True, True, True, True, False, False]
    assert [each.seq for each in outcomes if isinstance(each, Appended)] == [1, 2]
    assert {each.message_id for each in await chat.attachments.find([bobs, pending])} == {None}


async def test_a_used_one_is_refused_within_a_call_and_from_before(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    first, second = await chat.log.append(
        [await with_attachments(chat, room, ann, image), await with_attachments(chat, room, ann, image)]
    )
    assert isinstance(first, Appended)
    assert refused(second)
    (third,) = await chat.log.append([await with_attachments(chat, room, ann, image)])
    assert refused(third)


async def test_of_many_that_want_the_same_one_at_once_one_gets_it(chat: Chat) -> None:
    ann = await chat.user()
    rooms = [await chat.group(ann) for _ in range(6)]
    image = await chat.attachment(ann)
    outcomes: list[Appended | ChatError] = []

    async def send(room: UUID) -> None:
        outcomes.extend(await chat.log.append([await with_attachments(chat, room, ann, image)]))

    async with trio.open_nursery() as nursery:
        for room in rooms:
            nursery.start_soon(send, room)
    assert sorted(isinstance(each, Appended) for each in outcomes) == [False] * 5 + [True]


async def test_a_repeat_by_client_message_id_gives_the_first_message(chat: Chat) -> None:
    ann = await chat.user()
    room, image, other = await chat.group(ann), await chat.attachment(ann), await chat.attachment(ann)
    first, within = await chat.post(
        await with_attachments(chat, room, ann, image, repeat="x"),
        await with_attachments(chat, room, ann, image, repeat="x"),
    )
    (later,) = await chat.post(await with_attachments(chat, room, ann, image, repeat="x"))
    (changed,) = await chat.post(await with_attachments(chat, room, ann, other, repeat="x"))
    (plain,) = await chat.post(chat.message(room, ann, "plain", "x"))
    assert [each.was_new for each in (first, within, later, changed, plain)] == [True] + [False] * 4
    assert {each.id for each in (first, within, later, changed, plain)} == {first.id}
    assert (await chat.attachments.find([other]))[0].message_id is None


async def test_the_very_same_message_again_is_new_again_and_stays_bound(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    message = await with_attachments(chat, room, ann, image)
    first, again = [*await chat.post(message), *await chat.post(message)]
    assert (first, first.was_new) == (again, True)
    (stored,) = await chat.history.oldest(room, after_seq=0, limit=9)
    assert stored.attachment_ids == (image,)


async def test_a_stranger_and_a_wrong_reply_are_refused_as_such_and_bind_nothing(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room, image = await chat.group(bob), await chat.attachment(ann)
    mine = await chat.group(ann)
    outcomes = await chat.log.append(
        [
            await with_attachments(chat, room, ann, image),
            chat.message(mine, ann, "", None, chat.new_id(), attachment_ids=(image,)),
            await with_attachments(chat, chat.new_id(), ann, image),
        ]
    )
    codes = [each.code for each in outcomes if isinstance(each, ChatError)]
    assert codes == [ErrorCode.FORBIDDEN, ErrorCode.VALIDATION_ERROR, ErrorCode.NOT_FOUND]
    await chat.post(await with_attachments(chat, mine, ann, image))


async def test_a_text_that_cannot_be_stored_is_refused_alone_and_binds_nothing(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    bad, good = await chat.log.append(
        [
            chat.message(room, ann, "\x00", attachment_ids=(image,)),
            await with_attachments(chat, room, ann, image),
        ]
    )
    assert isinstance(bad, ChatError)
    assert isinstance(good, Appended)


async def test_a_deleted_message_bears_none_and_they_are_found_no_more(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    message = await with_attachments(chat, room, ann, image)
    await chat.post(message)
    event = await chat.log.delete(room, message.id, ann, moderator=False)
    assert event is not None
    assert event.message.attachment_ids == ()
    assert await chat.attachments.find([image]) == []
    (kept,) = await chat.history.oldest(room, after_seq=0, limit=9)
    assert kept.attachment_ids == ()
    await chat.post(message)
    assert (await chat.history.find([message.id]))[0].attachment_ids == ()
    (again,) = await chat.log.append([await with_attachments(chat, room, ann, image)])
    assert refused(again)


async def test_an_edit_keeps_them(chat: Chat) -> None:
    ann = await chat.user()
    room, image = await chat.group(ann), await chat.attachment(ann)
    message = await with_attachments(chat, room, ann, image)
    await chat.post(message)
    event = await chat.log.edit(room, message.id, ann, "now with words")
    assert event.message.attachment_ids == (image,)


async def test_what_is_not_used_in_time_is_discarded_once_and_can_be_used_no_more(chat: Chat) -> None:
    ann = await chat.user()
    room, used = await chat.group(ann), await chat.attachment(ann)
    await chat.post(await with_attachments(chat, room, ann, used))
    unused = [await chat.attachment(ann) for _ in range(3)]
    assert await chat.attachments.discard_unused(older_than=3600.0, limit=9) == 0
    assert await chat.attachments.discard_unused(older_than=0.0, limit=2) == 2
    assert await chat.attachments.discard_unused(older_than=0.0, limit=9) == 1
    assert await chat.attachments.discard_unused(older_than=0.0, limit=9) == 0
    assert [each.id for each in await chat.attachments.find([used, *unused])] == [used]
    (outcome,) = await chat.log.append([await with_attachments(chat, room, ann, unused[0])])
    assert refused(outcome)
    gone = await chat.attachments.discarded(9)
    assert {each.id for each in gone} == set(unused)
    await chat.attachments.forget([each.id for each in gone] + [used])
    assert await chat.attachments.discarded(9) == []
    assert [each.id for each in await chat.attachments.find([used])] == [used]


async def test_bytes_are_not_deleted_while_an_upload_may_be_under_way(chat: Chat) -> None:
    ann = await chat.user()
    new = Attachment(chat.new_id(), ann, "key", "a", Terms("text/plain", 1))
    await chat.attachments.promise(new, upload_seconds=3600.0, max_unused=9)
    assert await chat.attachments.discard_unused(older_than=0.0, limit=9) == 1
    assert await chat.attachments.discarded(9) == []
