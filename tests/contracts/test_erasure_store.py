"""The contract of `ErasureStore`."""

from uuid import UUID

import pytest

from actors.privacy.ports import START, AuditEntry, ErasureJob, erased_email
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import ConversationType, EventKind
from tests.kit.chat import Chat

LONG = 600.0


async def accept(chat: Chat, user: UUID, *, tombstone: bool = False) -> bool:
    entry = AuditEntry(chat.new_id(), user, "erasure.requested", "203.0.113.5", "request")
    return await chat.erasures.accept(user, tombstone=tombstone, entry=entry)


async def test_an_accepted_erasure_anonymises_at_once(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room, pair = await chat.group(ann, bob), await chat.direct(ann, bob)
    await chat.say(room, bob, "hello")
    await chat.users.update(bob, name="Bob", profile_picture_url="https://example.com/bob.png")
    await chat.relations.block(bob, ann, max_blocks=9)
    await chat.relations.block(ann, bob, max_blocks=9)
    unused = await chat.attachment(bob)
    used = await chat.attachment(bob)
    await chat.post(chat.message(room, bob, attachment_ids=(used,)))
    assert await accept(chat, bob)
    (user,) = await chat.users.get([bob])
    assert (user.name, user.email, user.profile_picture_url) == ("Deleted user", erased_email(bob), None)
    assert await chat.relations.blocked_by(ann) == await chat.relations.blocked_by(bob) == []
    assert [each.id for each in await chat.attachments.find([unused, used])] == [used]
    assert {each.sender_name for each in await chat.history.oldest(room, after_seq=0, limit=9)} == {"Deleted user"}
    assert await chat.erasures.erased(within=None) == await chat.erasures.erased(within=60.0) == [bob]
    assert await chat.erasures.erased(within=-60.0) == []
    (noted,) = await chat.export.audit(bob, START, limit=9)
    assert (noted.entry.action, noted.entry.address) == ("erasure.requested", "203.0.113.5")
    assert set(await chat.users.conversation_ids(bob)) == {room, pair}


async def test_it_is_done_once(chat: Chat) -> None:
    bob = await chat.user()
    assert await accept(chat, bob)
    assert not await accept(chat, bob)
    assert len(await chat.export.audit(bob, START, limit=9)) == 1
    with pytest.raises(ChatError) as refusal:
        await accept(chat, chat.new_id())
    assert refusal.value.code is ErrorCode.NOT_FOUND


async def test_who_is_erased_can_be_found_changed_and_added_no_more(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann)
    email = (await chat.users.get([bob]))[0].email
    await accept(chat, bob)
    assert [each.id for each in (await chat.users.search("", offset=0, limit=9))[0]] == [ann]
    assert await chat.users.search("deleted", offset=0, limit=9) == ([], 0)
    with pytest.raises(ChatError) as refusal:
        await chat.users.update(bob, name="Bob", profile_picture_url=None)
    assert refusal.value.code is ErrorCode.NOT_FOUND
    for change in (
        chat.conversations.add_members(room, ann, [bob], max_members=9),
        chat.conversations.create(chat.new_id(), ConversationType.DIRECT, ann, [bob], None, None),
    ):
        with pytest.raises(ChatError) as refusal:
            await change
        assert refusal.value.code is ErrorCode.VALIDATION_ERROR
    assert (await chat.users.add(chat.new_id(), email, "Bob again"))[1]


async def test_a_job_is_one_nodes_at_a_time_until_it_falls_silent(chat: Chat) -> None:
    one, other = chat.new_id(), chat.new_id()
    first, second = await chat.people(2)
    await accept(chat, first, tombstone=True)
    await accept(chat, second)
    assert await chat.erasures.waiting() == 2
    job = ErasureJob(first, tombstone=True)
    assert await chat.erasures.next_job(one, lease=LONG) == job
    assert await chat.erasures.next_job(one, lease=LONG) == ErasureJob(second, tombstone=False)
    assert await chat.erasures.next_job(other, lease=LONG) is None
    further = ErasureJob(first, tombstone=True, leaving=False, conversation_id=chat.new_id(), seq=7)
    assert await chat.erasures.save(further, one, lease=-1.0)
    assert await chat.erasures.next_job(other, lease=LONG) == further
    assert not await chat.erasures.save(job, one, lease=LONG)
    entry = AuditEntry(chat.new_id(), first, "erasure.finished")
    await chat.erasures.finish(further, one, entry)
    assert await chat.erasures.waiting() == 2
    await chat.erasures.finish(further, other, entry)
    assert await chat.erasures.waiting() == 1
    assert [each.entry.action for each in await chat.export.audit(first, START, limit=9)][-1:] == ["erasure.finished"]


async def test_a_sealed_direct_conversation_is_written_by_the_other_only(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    pair = await chat.direct(ann, bob)
    await chat.relations.block(bob, ann, max_blocks=9)
    rev = (await chat.load(pair)).rev
    await accept(chat, bob)
    assert await chat.erasures.seal(pair, bob) == rev + 1
    assert await chat.erasures.seal(pair, bob) is None
    assert await chat.erasures.seal(chat.new_id(), bob) is None
    await chat.say(pair, ann, "are you there?")
    (refused,) = await chat.log.append([chat.message(pair, bob)])
    assert isinstance(refused, ChatError)
    assert refused.code is ErrorCode.FORBIDDEN


async def test_conversations_are_listed_by_id_the_former_ones_too(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    rooms = sorted([await chat.group(ann, bob) for _ in range(4)])
    await chat.conversations.remove_member(rooms[1], ann, bob)
    await chat.conversations.remove_member(rooms[2], bob, bob)
    await chat.conversations.add_members(rooms[2], ann, [bob], max_members=9)
    group = ConversationType.GROUP
    assert await chat.erasures.memberships(bob, START, limit=2) == [(rooms[0], group), (rooms[2], group)]
    assert await chat.erasures.memberships(bob, rooms[2], limit=2) == [(rooms[3], group)]
    assert await chat.erasures.spoken_in(bob, START, limit=3) == rooms[:3]
    assert await chat.erasures.spoken_in(bob, rooms[2], limit=3) == rooms[3:]


async def test_messages_become_tombstones_some_at_a_time(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    file = await chat.attachment(bob)
    said = await chat.post(
        *(chat.message(room, bob if number % 2 else ann, f"{number}") for number in range(6)),
        chat.message(room, bob, attachment_ids=(file,)),
    )
    await chat.log.react(room, said[1].id, ann, "👍", present=True, max_distinct=9)
    rev = (await chat.load(room)).rev
    done = await chat.erasures.tombstone(room, bob, 0, limit=3)
    assert (done.count, done.rev, done.next_seq) == (3, rev + 3, said[5].seq)
    done = await chat.erasures.tombstone(room, bob, said[5].seq, limit=3)
    assert (done.count, done.rev, done.next_seq) == (1, rev + 4, None)
    again = await chat.erasures.tombstone(room, bob, 0, limit=3)
    assert (again.count, again.rev, again.next_seq) == (0, rev + 4, None)
    assert (await chat.erasures.tombstone(chat.new_id(), bob, 0, limit=3)).next_seq is None
    messages = await chat.history.oldest(room, after_seq=0, limit=9)
    assert [(each.text, each.deleted_at is None) for each in messages if each.sender_id == ann] == [
        ("0", True),
        ("2", True),
        ("4", True),
    ]
    assert all(
        not each.text and each.deleted_at and not each.attachment_ids for each in messages if each.sender_id == bob
    )
    assert all(not each.reactions for each in messages)
    events = await chat.history.events(room, after_rev=rev, upto_rev=rev + 9, limit=9)
    assert [(each.kind, each.rev) for each in events] == [(EventKind.DELETED, rev + each) for each in range(1, 5)]
    assert [each.id for each in await chat.attachments.discarded(9)] == [file]
    assert (await chat.load(room)).rev == rev + 4
