"""The desk: what it looks at, what it waits for, and its sweep."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.attachments import MemoryAttachmentStore
from actors.adapters.memory.objects import MemoryObjects
from actors.attachments.desk import AttachmentDesk
from actors.attachments.ports import Terms
from chatcore.errors import ChatError, ErrorCode, unavailable
from tests.kit.attachments import POLICY, attachment_desk

START = datetime(2030, 1, 1, tzinfo=UTC)
TERMS = Terms("image/png", 3)


class Objects(MemoryObjects):
    """Counts what is looked at; may be slow or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.delay = 0.0
        self.broken = False
        self.deleted: list[str] = []

    async def holds(self, key: str, terms: Terms) -> bool:
        self.looks += 1
        await trio.sleep(self.delay)
        return await super().holds(key, terms)

    async def delete(self, keys: Collection[str]) -> None:
        if self.broken:
            raise unavailable()
        self.deleted += keys
        await super().delete(keys)


@attrs.define
class Setting:
    chat: MemoryChat
    objects: Objects
    desk: AttachmentDesk

    async def user(self) -> UUID:
        user_id = uuid4()
        await self.chat.users.add(user_id, f"{user_id}@example.com", "Ann")
        return user_id

    async def upload(self, owner: UUID) -> UUID:
        promised = await self.desk.promise(owner, "cat.png", TERMS)
        assert self.objects.put(promised.upload.url, b"abc", "image/png")
        return promised.attachment_id

    @property
    def rows(self) -> int:
        return len(self.chat.state.attachments)


@pytest.fixture
def at() -> Setting:
    """Its time is Trio's clock."""

    def now() -> datetime:
        return START + timedelta(seconds=trio.current_time())

    chat, objects = MemoryChat(now), Objects()
    desk = attachment_desk(MemoryAttachmentStore(chat.state), chat.standings, objects, now=now)
    return Setting(chat, objects, desk)


async def test_an_upload_is_looked_at_until_it_is_seen_and_only_by_its_owner(at: Setting) -> None:
    ann, bob = await at.user(), await at.user()
    attachment_id = await at.upload(ann)
    await at.desk.check_uploads(bob, [attachment_id])
    assert at.objects.looks == 0
    await at.desk.check_uploads(ann, [attachment_id])
    await at.desk.check_uploads(ann, [attachment_id])
    assert at.objects.looks == 1


async def test_a_storage_that_does_not_answer_is_not_waited_for_long(at: Setting, autojump_clock: MockClock) -> None:
    ann = await at.user()
    attachment_id = await at.upload(ann)
    at.objects.delay = 1000.0
    with pytest.raises(ChatError) as caught:
        await at.desk.check_uploads(ann, [attachment_id])
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert trio.current_time() == pytest.approx(POLICY.check_timeout)


async def test_keys_tell_nothing_and_are_never_the_same(at: Setting) -> None:
    ann = await at.user()
    ids = [await at.upload(ann) for _ in range(3)]
    keys = {each.attachment.object_key for each in at.chat.state.attachments.values()}
    assert len(keys) == 3
    assert all(len(key) >= 43 and str(each) not in key for key in keys for each in ids)


async def test_what_is_not_used_is_swept_with_its_bytes_when_its_time_has_come(
    at: Setting, autojump_clock: MockClock
) -> None:
    await at.upload(await at.user())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.desk.run)
        await trio.sleep(POLICY.unused_lifetime - 60)
        assert at.rows == 1
        await trio.sleep(60 + 2 * POLICY.sweep_interval)
        assert at.rows == 0
        assert len(at.objects.deleted) == at.desk.figures.deleted == 1
        nursery.cancel_scope.cancel()


async def test_a_sweep_that_fails_is_made_again_and_loses_no_row(at: Setting, autojump_clock: MockClock) -> None:
    await at.upload(await at.user())
    at.objects.broken = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.desk.run)
        await trio.sleep(POLICY.unused_lifetime + 5 * POLICY.sweep_interval)
        assert (at.rows, at.desk.figures.sweeps_failed > 1) == (1, True)
        at.objects.broken = False
        await trio.sleep(2 * POLICY.sweep_interval)
        assert at.rows == 0
        nursery.cancel_scope.cancel()


async def test_many_nodes_sweep_together(at: Setting, autojump_clock: MockClock) -> None:
    ann = await at.user()
    for _ in range(POLICY.max_unused):
        await at.upload(ann)
    other = attachment_desk(MemoryAttachmentStore(at.chat.state), at.chat.standings, at.objects)
    await trio.sleep(POLICY.unused_lifetime + 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(at.desk.sweep)
        nursery.start_soon(other.sweep)
    assert at.rows == 0
