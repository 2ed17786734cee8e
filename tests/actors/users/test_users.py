"""The fan-out of notifications to the connections of a user."""

import json
import random
from itertools import pairwise
from uuid import UUID

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.bridge.alone import Alone
from actors.runtime import MailboxFull
from actors.runtime.spec import ChildContext, ChildSpec, Strategy
from actors.runtime.supervisor import Supervisor
from actors.users.actor import Users
from actors.users.messages import Listen, Notify, Unlisten
from tests.kit.conversations import PATIENT
from tests.kit.listeners import Ear

ROOM = UUID(int=99)
ALICE, BOB = UUID(int=1), UUID(int=2)


def note(*user_ids: UUID, text: str = "hi", seq: int | None = None, room: UUID = ROOM) -> Notify:
    return Notify(room, [(user_id, json.dumps({"text": text}).encode()) for user_id in user_ids], seq)


def heard(ear: Ear) -> list[str]:
    return [each["text"] for each in ear.heard]


class Following(Alone):
    """Remembers whom it follows, and whom it was to tell."""

    def __init__(self) -> None:
        self.followed: list[UUID] = []
        self.told: list[Notify] = []

    def follow_user(self, user_id: UUID) -> None:
        assert user_id not in self.followed
        self.followed.append(user_id)

    def unfollow_user(self, user_id: UUID) -> None:
        self.followed.remove(user_id)

    def tell_users(self, notify: Notify) -> None:
        self.told.append(notify)


async def test_each_connection_of_each_named_user_is_told(nursery: trio.Nursery) -> None:
    users = Users(10)
    nursery.start_soon(users.run)
    ears = [Ear(ALICE), Ear(ALICE), Ear(BOB)]
    for ear in ears:
        users.tell(Listen(ear))
    users.tell(note(ALICE))
    users.tell(note(ALICE, BOB, UUID(int=3)))
    await wait_all_tasks_blocked()
    assert [len(ear.heard) for ear in ears] == [2, 2, 1]
    assert set(users.listening) == {ALICE, BOB}


async def test_who_stopped_listening_or_has_gone_is_told_nothing(nursery: trio.Nursery) -> None:
    users = Users(10)
    nursery.start_soon(users.run)
    stopped, gone, late = Ear(ALICE), Ear(BOB), Ear(BOB, closed=True)
    for ear in (stopped, gone, late):
        users.tell(Listen(ear))
    users.tell(Unlisten(stopped))
    users.tell(Unlisten(stopped))
    await wait_all_tasks_blocked()
    assert set(users.listening) == {BOB}
    gone.closed = True
    users.tell(note(ALICE, BOB))
    await wait_all_tasks_blocked()
    assert not users.listening
    assert stopped.heard == gone.heard == late.heard == []


async def test_a_connection_that_watches_the_conversation_is_told_nothing_of_its_messages(
    nursery: trio.Nursery,
) -> None:
    users = Users(10)
    nursery.start_soon(users.run)
    ear = Ear(ALICE, {ROOM})
    users.tell(Listen(ear))
    users.tell(note(ALICE, text="skipped", seq=1))
    users.tell(note(ALICE, text="told"))
    await wait_all_tasks_blocked()
    assert heard(ear) == ["told"]


async def test_full_a_notification_is_dropped_and_counted_and_a_listener_refused() -> None:
    users = Users(1)
    users.tell(note(ALICE))
    users.tell(note(ALICE, BOB))
    assert users.dropped == 2
    with pytest.raises(MailboxFull):
        users.tell(Listen(Ear(ALICE)))
    users.mailbox.close()
    users.tell(note(ALICE))
    assert users.dropped == 3


async def test_a_crash_forgets_no_listener_not_even_those_that_were_just_coming(autojump_clock: MockClock) -> None:
    users = Users(10)
    early, crashing, coming, leaving = Ear(ALICE), Ear(BOB), Ear(ALICE), Ear(ALICE)

    def crash() -> None:
        raise RuntimeError("boom")

    async def run(context: ChildContext) -> None:
        context.started()
        await users.run()

    supervisor = Supervisor("test", [ChildSpec("users", run)], Strategy.ONE_FOR_ONE, PATIENT, random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        for ear in (early, crashing, leaving):
            users.tell(Listen(ear))
        await wait_all_tasks_blocked()
        crashing.on_notify = crash
        users.tell(note(BOB))
        users.tell(Listen(coming))
        users.tell(Unlisten(leaving))
        await trio.sleep(1)
        users.tell(note(ALICE))
        await wait_all_tasks_blocked()
        assert (len(early.heard), len(coming.heard), len(leaving.heard)) == (1, 1, 0)
        nursery.cancel_scope.cancel()


async def test_others_run_while_many_are_told(nursery: trio.Nursery) -> None:
    users = Users(10, slice_size=10)
    nursery.start_soon(users.run)
    ears = [Ear(ALICE) for _ in range(100)]
    for start in range(0, 100, 5):
        for ear in ears[start : start + 5]:
            users.tell(Listen(ear))
        await wait_all_tasks_blocked()
    users.tell(note(ALICE))
    progress: list[int] = []
    while not progress or progress[-1] < 100:
        progress.append(sum(bool(ear.heard) for ear in ears))
        await trio.lowlevel.checkpoint()
    assert len(set(progress)) > 5


async def test_the_relay_follows_a_user_from_the_first_connection_to_the_last(nursery: trio.Nursery) -> None:
    relay = Following()
    users = Users(10, relay)
    nursery.start_soon(users.run)
    first, second = Ear(ALICE), Ear(ALICE)
    for ear in (first, second, Ear(BOB)):
        users.tell(Listen(ear))
    await wait_all_tasks_blocked()
    assert relay.followed == [ALICE, BOB]
    users.tell(Unlisten(first))
    await wait_all_tasks_blocked()
    assert relay.followed == [ALICE, BOB]
    users.tell(Unlisten(second))
    await wait_all_tasks_blocked()
    assert relay.followed == [BOB]


async def test_everywhere_is_here_and_at_the_relay_but_what_came_from_there_does_not_go_back(
    nursery: trio.Nursery,
) -> None:
    relay = Following()
    users = Users(10, relay)
    nursery.start_soon(users.run)
    ear = Ear(ALICE)
    users.tell(Listen(ear))
    own = note(ALICE, BOB, text="own")
    users.tell_everywhere(own)
    users.tell(note(ALICE, text="others"))
    await wait_all_tasks_blocked()
    assert heard(ear) == ["own", "others"]
    assert relay.told == [own]


async def test_a_connection_that_ends_while_the_mailbox_is_full_is_forgotten_all_the_same(
    nursery: trio.Nursery,
) -> None:
    relay = Following()
    users = Users(2, relay)
    nursery.start_soon(users.run)
    ending, staying = Ear(ALICE), Ear(BOB)
    users.tell(Listen(ending))
    users.tell(Listen(staying))
    await wait_all_tasks_blocked()
    for _ in range(2):
        users.tell(note(BOB))
    ending.closed = True
    users.tell(Unlisten(ending))
    await wait_all_tasks_blocked()
    assert relay.followed == list(users.listening) == [BOB]


async def test_of_one_conversations_messages_the_newest_is_told_once_a_second(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    users = Users(1000)
    nursery.start_soon(users.run)
    ear = Ear(ALICE)
    times: list[float] = []
    ear.on_notify = lambda: times.append(trio.current_time())
    users.tell(Listen(ear))
    for seq in range(1, 15):
        users.tell(note(ALICE, text=f"m{seq}", seq=seq))
        await trio.sleep(0.27)
    await trio.sleep(5)
    assert heard(ear) == ["m1", "m4", "m8", "m12", "m14"]
    assert all(later - earlier > 0.99 for earlier, later in pairwise(times))


async def test_what_several_nodes_tell_of_one_message_is_told_once_and_never_an_older_one(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    users = Users(1000)
    nursery.start_soon(users.run)
    ear = Ear(ALICE)
    users.tell(Listen(ear))
    for pause in (0.0, 0.5, 5.0):
        await trio.sleep(pause)
        users.tell(note(ALICE, text="m7", seq=7))
        users.tell(note(ALICE, text="m6", seq=6))
    users.tell(note(ALICE, text="m9", seq=9))
    users.tell(note(ALICE, text="m8", seq=8))
    await trio.sleep(5)
    assert heard(ear) == ["m7", "m9"]


async def test_conversations_users_and_other_notifications_do_not_hold_each_other_back(
    nursery: trio.Nursery,
) -> None:
    users = Users(1000)
    nursery.start_soon(users.run)
    hers, his = Ear(ALICE), Ear(BOB)
    users.tell(Listen(hers))
    users.tell(Listen(his))
    users.tell(note(ALICE, text="a1", seq=1))
    users.tell(note(ALICE, BOB, text="a2", seq=2))
    users.tell(note(ALICE, text="b1", seq=1, room=UUID(int=98)))
    users.tell(note(ALICE, text="renamed"))
    users.tell(note(ALICE, text="renamed"))
    await wait_all_tasks_blocked()
    assert heard(hers) == ["a1", "b1", "renamed", "renamed"]
    assert heard(his) == ["a2"]


async def test_what_was_held_back_finds_who_listens_then(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    users = Users(1000)
    nursery.start_soon(users.run)
    leaving, watching, coming = Ear(ALICE), Ear(ALICE), Ear(ALICE)
    users.tell(Listen(leaving))
    users.tell(Listen(watching))
    users.tell(note(ALICE, text="m1", seq=1))
    users.tell(note(ALICE, text="m2", seq=2))
    await wait_all_tasks_blocked()
    watching.watched.add(ROOM)
    users.tell(Unlisten(leaving))
    users.tell(Listen(coming))
    await trio.sleep(2)
    assert [heard(ear) for ear in (leaving, watching, coming)] == [["m1"], ["m1"], ["m2"]]


async def test_beyond_its_memory_what_was_held_back_longest_is_dropped_and_counted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    users = Users(1000, memory=2)
    nursery.start_soon(users.run)
    ear = Ear(ALICE)
    users.tell(Listen(ear))
    rooms = [UUID(int=number) for number in range(3)]
    for room in rooms[:2]:
        users.tell(note(ALICE, text=f"{room.int}/1", seq=1, room=room))
        users.tell(note(ALICE, text=f"{room.int}/2", seq=2, room=room))
    users.tell(note(ALICE, text="2/1", seq=1, room=rooms[2]))
    await trio.sleep(5)
    assert heard(ear) == ["0/1", "1/1", "2/1", "1/2"]
    assert users.dropped == 1
