"""The contract of `MessageHistory`."""

from uuid import UUID

import pytest

from chatcore.model import Event, EventKind, Message
from tests.kit.chat import Chat

BEYOND = 2**70

CREATED, UPDATED, DELETED = EventKind.CREATED, EventKind.UPDATED, EventKind.DELETED


def seqs(messages: list[Message]) -> list[int]:
    return [each.seq for each in messages]


def kinds(events: list[Event]) -> list[tuple[EventKind, int, int]]:
    """Kind, rev and seq."""
    return [(each.kind, each.rev, each.message.seq) for each in events]


ALL = [
    (CREATED, 1, 1),
    (CREATED, 2, 2),
    (CREATED, 3, 3),
    (CREATED, 4, 4),
    (UPDATED, 6, 2),
    (DELETED, 7, 3),
    (CREATED, 8, 5),
    (CREATED, 9, 6),
    (CREATED, 10, 7),
    (CREATED, 11, 8),
    (UPDATED, 13, 1),
    (CREATED, 14, 9),
    (CREATED, 15, 10),
]
"""What a reader of `room` gets: kind, rev and seq. Rev 5 was an edit that rev 6 replaced, rev 12 a new member."""


@pytest.fixture
async def room(chat: Chat) -> UUID:
    """Ten messages, the second edited twice, the third deleted, and much later the first edited."""
    ann, bob = await chat.people(2)
    room = await chat.group(ann)
    first = await chat.say(room, ann, "1", "2", "3", "4")
    await chat.log.edit(room, first[1].id, ann, "2 again")
    await chat.log.edit(room, first[1].id, ann, "2 at last")
    await chat.log.delete(room, first[2].id, ann, moderator=False)
    await chat.say(room, ann, "5", "6", "7", "8")
    await chat.conversations.add_members(room, ann, [bob], max_members=10)
    await chat.log.edit(room, first[0].id, ann, "1 again")
    await chat.say(room, bob, "9", "10")
    return room


async def test_newest_goes_back_from_a_seq(chat: Chat, room: UUID) -> None:
    assert seqs(await chat.history.newest(room, before_seq=BEYOND, limit=3)) == [10, 9, 8]
    assert seqs(await chat.history.newest(room, before_seq=8, limit=3)) == [7, 6, 5]
    assert seqs(await chat.history.newest(room, before_seq=3, limit=50)) == [2, 1]
    assert await chat.history.newest(room, before_seq=1, limit=50) == []
    assert await chat.history.newest(room, before_seq=-BEYOND, limit=50) == []
    assert await chat.history.newest(chat.new_id(), before_seq=BEYOND, limit=50) == []


async def test_oldest_goes_on_from_a_seq(chat: Chat, room: UUID) -> None:
    assert seqs(await chat.history.oldest(room, after_seq=-BEYOND, limit=3)) == [1, 2, 3]
    assert seqs(await chat.history.oldest(room, after_seq=3, limit=3)) == [4, 5, 6]
    assert seqs(await chat.history.oldest(room, after_seq=8, limit=50)) == [9, 10]
    assert await chat.history.oldest(room, after_seq=10, limit=50) == []
    assert await chat.history.oldest(room, after_seq=BEYOND, limit=50) == []
    assert await chat.history.oldest(chat.new_id(), after_seq=0, limit=50) == []


async def test_pages_show_messages_in_their_present_form(chat: Chat, room: UUID) -> None:
    page = await chat.history.oldest(room, after_seq=0, limit=4)
    assert [(each.text, each.rev, each.deleted_at is not None) for each in page] == [
        ("1 again", 13, False),
        ("2 at last", 6, False),
        ("", 7, True),
        ("4", 4, False),
    ]


async def test_changed_lists_messages_by_their_last_change(chat: Chat, room: UUID) -> None:
    everything = [(4, 4), (6, 2), (7, 3), (8, 5), (9, 6), (10, 7), (11, 8), (13, 1), (14, 9), (15, 10)]
    for after_rev in range(17):
        for limit in (1, 3, 50):
            found = await chat.history.changed(room, after_rev=after_rev, limit=limit)
            assert [(each.rev, each.seq) for each in found] == [each for each in everything if each[0] > after_rev][
                :limit
            ]
    assert await chat.history.changed(room, after_rev=BEYOND, limit=5) == []
    assert await chat.history.changed(chat.new_id(), after_rev=0, limit=5) == []


async def test_events_tell_creations_and_last_changes_by_rev(chat: Chat, room: UUID) -> None:
    for after_rev in range(16):
        for upto_rev in (after_rev, after_rev + 3, 9, 15, BEYOND):
            for limit in (1, 4, 50):
                found = await chat.history.events(room, after_rev=after_rev, upto_rev=upto_rev, limit=limit)
                assert kinds(found) == [each for each in ALL if after_rev < each[1] <= upto_rev][:limit]
    assert kinds(await chat.history.events(room, after_rev=-BEYOND, upto_rev=BEYOND, limit=50)) == ALL
    assert await chat.history.events(chat.new_id(), after_rev=0, upto_rev=9, limit=5) == []


async def test_a_created_event_has_the_present_body(chat: Chat, room: UUID) -> None:
    created, *_ = await chat.history.events(room, after_rev=0, upto_rev=1, limit=5)
    assert (created.message.text, created.message.rev, created.rev) == ("1 again", 13, 1)


async def test_event_floor_is_where_the_last_events_begin(chat: Chat, room: UUID) -> None:
    for after_rev in (0, 4, 5, 11, 12):
        for upto_rev in (7, 12, 15, BEYOND):
            events = [rev for _, rev, _ in ALL if after_rev < rev <= upto_rev]
            for limit in (1, 2, 5, 12, 13, 14):
                floor = await chat.history.event_floor(room, after_rev=after_rev, upto_rev=upto_rev, limit=limit)
                assert floor == (events[-limit - 1] if len(events) > limit else None)
                if floor is not None:
                    rest = await chat.history.events(room, after_rev=floor, upto_rev=upto_rev, limit=50)
                    assert [each.rev for each in rest] == events[-limit:]
    assert await chat.history.event_floor(chat.new_id(), after_rev=0, upto_rev=9, limit=5) is None


async def test_find_gives_what_exists(chat: Chat, room: UUID) -> None:
    one, two, three = await chat.history.oldest(room, after_seq=0, limit=3)
    ann = one.sender_id
    elsewhere = await chat.group(ann)
    [foreign] = await chat.say(elsewhere, ann, "x")
    wanted = [three.id, chat.new_id(), one.id, foreign.id]
    everywhere = await chat.history.find(wanted)
    assert {each.id for each in everywhere} == {three.id, one.id, foreign.id}
    here = sorted(await chat.history.find(wanted, room), key=lambda each: each.seq)
    assert here == [one, three]
    assert two not in everywhere
    assert await chat.history.find([]) == []
