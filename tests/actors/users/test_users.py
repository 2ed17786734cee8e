"""The fan-out of notifications to the connections of a user."""

import json
import random
from uuid import UUID

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.runtime import MailboxFull
from actors.runtime.spec import ChildContext, ChildSpec, Strategy
from actors.runtime.supervisor import Supervisor
from actors.users.actor import Users
from actors.users.messages import Listen, Notify, Unlisten
from tests.kit.conversations import PATIENT
from tests.kit.listeners import Ear

ROOM = UUID(int=99)
ALICE, BOB = UUID(int=1), UUID(int=2)


def note(*user_ids: UUID, text: str = "hi", skip_watching: bool = False) -> Notify:
    return Notify(ROOM, [(user_id, json.dumps({"text": text}).encode()) for user_id in user_ids], skip_watching)


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


async def test_a_connection_that_watches_the_conversation_is_skipped_where_it_is_asked_for(
    nursery: trio.Nursery,
) -> None:
    users = Users(10)
    nursery.start_soon(users.run)
    ear = Ear(ALICE, {ROOM})
    users.tell(Listen(ear))
    users.tell(note(ALICE, text="skipped", skip_watching=True))
    users.tell(note(ALICE, text="told"))
    await wait_all_tasks_blocked()
    assert [each["text"] for each in ear.heard] == ["told"]


async def test_full_a_notification_is_dropped_and_counted_and_a_listener_refused() -> None:
    users = Users(1)
    users.tell(note(ALICE))
    users.tell(note(ALICE, BOB))
    assert users.dropped == 2
    for message in (Listen(Ear(ALICE)), Unlisten(Ear(ALICE))):
        with pytest.raises(MailboxFull):
            users.tell(message)
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
