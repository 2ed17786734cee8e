"""Attachments from the promise of an upload to the deletion of the bytes: rows and objects together."""

import logging
import random
import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import trio
from attrs import define, frozen

from actors.attachments.ports import Attachment, AttachmentStore, ObjectStore, SignedUpload, Terms
from actors.caching.members import Members
from chatcore.errors import ChatError, ErrorCode, forbidden, not_found

_KEY_BYTES: Final = 32
_SWEEP_BATCH: Final = 200
"""Rows that one sweep takes at a time."""

_log = logging.getLogger(__name__)


@frozen
class AttachmentPolicy:
    """Seconds and bytes. What no message bears after `unused_lifetime` is deleted. An upload that began in its
    `upload_lifetime` may go on for `transfer_time`. A send waits for `check_timeout` at most to see its uploads.
    """

    content_types: frozenset[str]
    max_bytes: int
    max_unused: int
    upload_lifetime: float = 300.0
    download_lifetime: float = 300.0
    transfer_time: float = 1800.0
    unused_lifetime: float = 86_400.0
    sweep_interval: float = 60.0
    check_timeout: float = 5.0


@frozen
class Promised:
    attachment_id: UUID
    upload: SignedUpload
    expires_at: datetime


@frozen
class Download:
    url: str
    expires_at: datetime


@define
class AttachmentFigures:
    """Since the start."""

    promised: int = 0
    stored: int = 0
    """Uploads that were seen whole here."""
    expired: int = 0
    """Discarded, because no message bore them in time."""
    deleted: int = 0
    sweeps: int = 0
    sweeps_failed: int = 0


class AttachmentDesk:
    """What clients ask for, and `run`, the sweep. `now` is aware UTC time. Every method may raise `UNAVAILABLE`."""

    def __init__(
        self,
        rows: AttachmentStore,
        objects: ObjectStore,
        members: Members,
        policy: AttachmentPolicy,
        *,
        new_id: Callable[[], UUID],
        rng: random.Random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rows = rows
        self._objects = objects
        self._members = members
        self._policy = policy
        self._new_id = new_id
        self._rng = rng
        self._now = now
        self.figures = AttachmentFigures()

    async def promise(self, owner_id: UUID, file_name: str, terms: Terms) -> Promised:
        """Errors: `UNSUPPORTED_MEDIA_TYPE`, `PAYLOAD_TOO_LARGE`, `RATE_LIMITED` (too many unused ones)."""
        policy = self._policy
        if terms.content_type.partition(";")[0].strip() not in policy.content_types:
            raise ChatError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Attachments of this type are not taken")
        if terms.size > policy.max_bytes:
            raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, f"An attachment has at most {policy.max_bytes} bytes")
        # The key is drawn at random: an id tells its time, and is known to all members.
        new = Attachment(self._new_id(), owner_id, secrets.token_urlsafe(_KEY_BYTES), file_name, terms)
        upload_seconds = policy.upload_lifetime + policy.transfer_time
        await self._rows.promise(new, upload_seconds=upload_seconds, max_unused=policy.max_unused)
        expires_at = self._now() + timedelta(seconds=policy.upload_lifetime)
        upload = await self._objects.sign_upload(new.object_key, terms, policy.upload_lifetime)
        self.figures.promised += 1
        return Promised(new.id, upload, expires_at)

    async def download(self, attachment_id: UUID, user_id: UUID) -> Download:
        """For the members of the conversation; before a message bears it, for its owner once it is uploaded.

        Errors: `NOT_FOUND`, `FORBIDDEN`.
        """
        found = await self._rows.find([attachment_id])
        if not found:
            raise not_found("The attachment")
        attachment = found[0]
        if attachment.conversation_id is not None:
            await self._members.check(attachment.conversation_id, user_id)
        elif attachment.owner_id != user_id:
            raise forbidden("The attachment is not yours")
        elif not attachment.uploaded and not await self._look([attachment]):
            raise not_found("The attachment's upload")
        expires_at = self._now() + timedelta(seconds=self._policy.download_lifetime)
        url = await self._objects.sign_download(
            attachment.object_key,
            attachment.file_name,
            attachment.terms.content_type,
            self._policy.download_lifetime,
        )
        return Download(url, expires_at)

    async def own_link(self, attachment: Attachment, lifetime: float) -> str:
        """For its owner, whether or not he is still a member where it is."""
        type_ = attachment.terms.content_type
        return await self._objects.sign_download(attachment.object_key, attachment.file_name, type_, lifetime)

    async def check_uploads(self, owner_id: UUID, attachment_ids: Collection[UUID]) -> None:
        """Look whether what a message is to bear has been uploaded. Refuses nothing: the append does."""
        with trio.move_on_after(self._policy.check_timeout) as patience:
            found = await self._rows.find(attachment_ids)
            await self._look([each for each in found if each.owner_id == owner_id and not each.uploaded])
        if patience.cancelled_caught:
            raise ChatError(ErrorCode.UNAVAILABLE, "The file storage does not answer", retry_after=1.0)

    async def run(self) -> None:
        """Sweep now and then, for ever. Any number of nodes may."""
        while True:
            await trio.sleep(self._policy.sweep_interval * (0.5 + self._rng.random()))
            try:
                await self.sweep()
            except ChatError as error:
                self.figures.sweeps_failed += 1
                _log.warning("attachments are not swept: %s", error.message)

    async def sweep(self) -> None:
        """Discard what was not used in time, and delete the bytes and then the rows of all that is discarded."""
        policy = self._policy
        self.figures.sweeps += 1
        more = True
        while more:
            expired = await self._rows.discard_unused(older_than=policy.unused_lifetime, limit=_SWEEP_BATCH)
            self.figures.expired += expired
            more = expired == _SWEEP_BATCH
        while gone := await self._rows.discarded(_SWEEP_BATCH):
            await self._objects.delete([each.object_key for each in gone])
            await self._rows.forget([each.id for each in gone])
            self.figures.deleted += len(gone)
        await self._objects.tidy(policy.upload_lifetime + policy.transfer_time)

    async def _look(self, attachments: Collection[Attachment]) -> bool:
        """Whether all of them are uploaded; those that are count as such from now on."""
        seen = [each.id for each in attachments if await self._objects.holds(each.object_key, each.terms)]
        if seen:
            await self._rows.mark_uploaded(seen)
            self.figures.stored += len(seen)
        return len(seen) == len(attachments)
