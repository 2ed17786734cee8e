"""In-memory twin of the rows of attachments."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import attrs

from actors.adapters.memory.state import ChatState, KeptAttachment
from actors.adapters.rules import check_unused
from actors.attachments.ports import Attachment
from chatcore.errors import not_found


class MemoryAttachmentStore:
    """`AttachmentStore` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def promise(self, attachment: Attachment, *, upload_seconds: float, max_unused: int) -> None:
        await self._state.faults.before("promise")
        if attachment.owner_id not in self._state.users:
            raise not_found("The user")
        kept = self._state.attachments
        mine = sum(each.is_unused and each.attachment.owner_id == attachment.owner_id for each in kept.values())
        check_unused(mine, max_unused)
        now = self._state.now()
        kept[attachment.id] = KeptAttachment(attachment, now, now + timedelta(seconds=upload_seconds))

    async def find(self, attachment_ids: Collection[UUID]) -> list[Attachment]:
        await self._state.faults.before("find_attachments")
        kept = self._state.attachments
        found = [kept[each] for each in set(attachment_ids) if each in kept]
        return [each.attachment for each in found if each.discarded_at is None]

    async def mark_uploaded(self, attachment_ids: Collection[UUID]) -> None:
        await self._state.faults.before("mark_uploaded")
        for each in attachment_ids:
            if (kept := self._state.attachments.get(each)) is not None:
                kept.attachment = attrs.evolve(kept.attachment, uploaded=True)

    async def discard_unused(self, *, older_than: float, limit: int) -> int:
        await self._state.faults.before("discard_unused")
        now = self._state.now()
        until = now - timedelta(seconds=older_than)
        unused = [each for each in self._state.attachments.values() if each.is_unused and each.created_at < until]
        chosen = sorted(unused, key=lambda each: each.created_at)[:limit]
        for each in chosen:
            each.discarded_at = now
        return len(chosen)

    async def discarded(self, limit: int) -> list[Attachment]:
        await self._state.faults.before("discarded")
        now = self._state.now()
        gone = [
            (each.discarded_at, each.attachment)
            for each in self._state.attachments.values()
            if each.discarded_at is not None and each.upload_until < now
        ]
        return [attachment for _, attachment in sorted(gone, key=lambda each: each[0])[:limit]]

    async def forget(self, attachment_ids: Collection[UUID]) -> None:
        await self._state.faults.before("forget")
        for each in attachment_ids:
            kept = self._state.attachments.get(each)
            if kept is not None and kept.discarded_at is not None:
                del self._state.attachments[each]
