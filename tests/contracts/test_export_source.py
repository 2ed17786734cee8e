"""The contract of `ExportSource`."""

from datetime import UTC, datetime

from actors.privacy.ports import START, AuditEntry
from chatcore.model import Role
from tests.kit.chat import Chat

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


async def test_memberships_present_and_former_by_id(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    rooms = sorted([await chat.group(ann, bob) for _ in range(3)])
    await chat.say(rooms[0], bob, "one", "two")
    await chat.relations.mute(rooms[0], bob, UNTIL)
    await chat.conversations.remove_member(rooms[1], bob, bob)
    first = await chat.export.memberships(bob, START, limit=2)
    rest = await chat.export.memberships(bob, rooms[1], limit=2)
    assert [each.conversation_id for each in (*first, *rest)] == rooms
    assert (first[0].role, first[0].read_seq, first[0].delivered_seq, first[0].muted_until) == (
        Role.MEMBER,
        2,
        2,
        UNTIL,
    )
    assert (first[1].role, first[1].joined_at, first[1].read_seq, first[1].muted_until) == (None,) * 4


async def test_what_was_said_comes_in_pages_with_others_that_may_mention(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room = await chat.group(ann, bob)
    said = await chat.post(
        chat.message(room, bob, "one"),
        chat.message(room, ann, "two"),
        chat.message(room, ann, "@three"),
        chat.message(room, bob, "four"),
        chat.message(room, bob, "five"),
    )
    await chat.log.delete(room, said[4].id, bob, moderator=False)
    page = await chat.export.said(bob, room, 0, limit=2, others=False)
    assert ([each.text for each in page.messages], page.next_seq) == (["one", "four"], 4)
    page = await chat.export.said(bob, room, 4, limit=2, others=False)
    assert ([(each.text, each.deleted_at is None) for each in page.messages], page.next_seq) == ([("", False)], None)
    page = await chat.export.said(bob, room, 0, limit=9, others=True)
    assert ([each.seq for each in page.messages], page.next_seq) == ([1, 3, 4, 5], None)
    assert (await chat.export.said(bob, chat.new_id(), 0, limit=9, others=True)).next_seq is None


async def test_what_retention_has_cut_is_not_there(chat: Chat) -> None:
    ann = await chat.user()
    room = await chat.group(ann)
    await chat.say(room, ann, "one", "two")
    await chat.retention.cut(room, older_than=-1.0, limit=1)
    assert [each.seq for each in (await chat.export.said(ann, room, 0, limit=9, others=False)).messages] == [2]


async def test_reactions_and_reports_and_attachments_and_audit_in_pages(chat: Chat) -> None:
    ann, bob = await chat.people(2)
    room, other = sorted([await chat.group(ann, bob), await chat.group(ann, bob)])
    said = [*await chat.say(room, ann, "one", "two"), *await chat.say(other, ann, "three")]
    for each, where in zip(said, (room, room, other), strict=True):
        await chat.log.react(where, each.id, bob, "👍", present=True, max_distinct=9)
        await chat.log.react(where, each.id, ann, "🎉", present=True, max_distinct=9)
        (message,) = await chat.history.find([each.id])
        await chat.relations.report(chat.new_id(), message, bob, "spam")
    first = await chat.export.reactions(bob, None, limit=2)
    rest = await chat.export.reactions(bob, first[-1], limit=2)
    assert [(each.message_id, each.emoji) for each in (*first, *rest)] == [(each.id, "👍") for each in said]

    reported = sorted(each.id for each in said)
    page = await chat.export.reports(bob, START, limit=2)
    page += await chat.export.reports(bob, page[-1].message_id, limit=2)
    assert [each.message_id for each in page] == reported
    assert await chat.export.reports(ann, START, limit=2) == []

    files = [await chat.attachment(bob, uploaded=each < 2) for each in range(3)]
    own = await chat.export.attachments(bob, None, limit=2)
    own += await chat.export.attachments(bob, own[-1], limit=2)
    assert {each.attachment.id for each in own} == set(files)
    assert len(own) == 3

    entries = [AuditEntry(chat.new_id(), bob, "export", "203.0.113.5", None) for _ in range(3)]
    for entry in [*entries, entries[0]]:
        await chat.export.note(entry)
    noted = await chat.export.audit(bob, START, limit=2)
    noted += await chat.export.audit(bob, noted[-1].entry.id, limit=2)
    assert [each.entry for each in noted] == sorted(entries, key=lambda each: each.id)
