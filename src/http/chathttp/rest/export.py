"""The document of an export: one JSON object, written a page at a time."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final
from uuid import UUID

import msgspec
from quart.wrappers.response import ResponseBody

from actors.privacy.export import PAGE, Export, paged
from actors.privacy.ports import START, Audited, ExportSource, Membership, OwnAttachment, OwnReaction
from actors.relation_ports import Report
from chatcore.mentions import Mentionable
from chatcore.model import Message, User
from chathttp.rest.relations import report_json
from chathttp.rest.services import Services
from chathttp.wire import ATTACHMENTS_PATH, message_json, timestamp, to_json, user_json

VERSION: Final = 1
CHUNK: Final = 65_536


class _MembershipJson(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    type: str
    name: str | None
    role: str | None
    joined_at: str | None
    last_read_seq: int | None
    last_delivered_seq: int | None
    muted_until: str | None


class _ReactionJson(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    message_id: UUID
    seq: int
    emoji: str


class _MentionJson(msgspec.Struct, rename="camel", frozen=True):
    conversation_id: UUID
    message_id: UUID
    seq: int
    sender_id: UUID
    timestamp: str


class _AttachmentJson(msgspec.Struct, rename="camel", frozen=True):
    id: UUID
    url: str
    file_name: str
    content_type: str
    size: int
    conversation_id: UUID | None
    message_id: UUID | None
    created_at: str
    download_url: str | None
    expires_at: str | None


class _AuditJson(msgspec.Struct, rename="camel", frozen=True):
    action: str
    happened_at: str
    address: str | None
    request_id: str | None


class ExportBody(ResponseBody):
    """The bytes of the answer. However it ends, the export does; cut short, it has no closing brace."""

    def __init__(self, document: "ExportDocument", export: Export) -> None:
        self._chunks = document.chunks()
        self._export = export

    async def __aenter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            await self._chunks.aclose()
        finally:
            await self._export.end(whole=exc_type is None)


class ExportDocument:
    """Of one user. `absolute` makes links that work outside a page of ours."""

    def __init__(self, services: Services, user: User, export: Export, absolute: Callable[[str], str]) -> None:
        self._services = services
        self._source: ExportSource = services.exports.source
        self._user = user
        self._export = export
        self._absolute = absolute
        self._mentionable = Mentionable({user.id: user.name})

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Of `CHUNK` bytes and a page more at most. Raises `ChatError` when the database goes away on the way."""
        held = bytearray()
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                held += piece
                if len(held) >= CHUNK:
                    yield bytes(held)
                    held.clear()
        yield bytes(held)

    async def _pieces(self) -> AsyncGenerator[bytes]:
        user_id = self._user.id
        profile = to_json(user_json(self._user, user_id))
        generated = timestamp(self._now()).encode()
        yield b'{"version":%d,"generatedAt":"%s","profile":%s' % (VERSION, generated, profile)
        for name, pages in (
            ("conversations", self._conversations()),
            ("messages", self._messages()),
            ("mentions", self._mentions()),
            ("reactions", self._reactions()),
            ("blockedUserIds", self._blocks()),
            ("reports", self._reports()),
            ("attachments", self._attachments()),
            ("audit", self._audit()),
        ):
            yield b',"%s":[' % name.encode()
            first = True
            async with aclosing(pages):
                async for page in pages:
                    await self._export.keep()
                    if page:
                        yield (b"" if first else b",") + b",".join(page)
                        first = False
            yield b"]"
        yield b"}"

    async def _conversations(self) -> AsyncGenerator[list[bytes]]:
        async with aclosing(self._memberships()) as pages:
            async for page in pages:
                yield [to_json(_membership(each)) for each in page]

    async def _messages(self) -> AsyncGenerator[list[bytes]]:
        async with aclosing(self._all_said(others=False)) as pages:
            async for page in pages:
                yield [to_json(message_json(each, is_read=True)) for each in page]

    async def _mentions(self) -> AsyncGenerator[list[bytes]]:
        """Only where he is a member still: what came after he left is not for him."""
        async with aclosing(self._all_said(others=True)) as pages:
            async for page in pages:
                yield [to_json(_mention(each)) for each in page if self._is_mentioned(each)]

    async def _reactions(self) -> AsyncGenerator[list[bytes]]:
        async def read(after: OwnReaction | None) -> list[OwnReaction]:
            return await self._source.reactions(self._user.id, after, limit=PAGE)

        async with aclosing(paged(read)) as pages:
            async for page in pages:
                yield [to_json(_ReactionJson(e.conversation_id, e.message_id, e.seq, e.emoji)) for e in page]

    async def _blocks(self) -> AsyncGenerator[list[bytes]]:
        yield [b'"%s"' % str(each).encode() for each in await self._services.relations.blocked_by(self._user.id)]

    async def _reports(self) -> AsyncGenerator[list[bytes]]:
        async def read(after: Report | None) -> list[Report]:
            return await self._source.reports(self._user.id, START if after is None else after.message_id, limit=PAGE)

        async with aclosing(paged(read)) as pages:
            async for page in pages:
                yield [to_json(report_json(each)) for each in page]

    async def _attachments(self) -> AsyncGenerator[list[bytes]]:
        async def read(after: OwnAttachment | None) -> list[OwnAttachment]:
            return await self._source.attachments(self._user.id, after, limit=PAGE)

        async with aclosing(paged(read)) as pages:
            async for page in pages:
                yield [to_json(await self._attachment(each)) for each in page]

    async def _audit(self) -> AsyncGenerator[list[bytes]]:
        async def read(after: Audited | None) -> list[Audited]:
            return await self._source.audit(self._user.id, START if after is None else after.entry.id, limit=PAGE)

        async with aclosing(paged(read)) as pages:
            async for page in pages:
                yield [
                    to_json(_AuditJson(e.entry.action, timestamp(e.happened_at), e.entry.address, e.entry.request_id))
                    for e in page
                ]

    def _memberships(self) -> AsyncGenerator[list[Membership]]:
        async def read(after: Membership | None) -> list[Membership]:
            last = START if after is None else after.conversation_id
            return await self._source.memberships(self._user.id, last, limit=PAGE)

        return paged(read)

    async def _all_said(self, *, others: bool) -> AsyncGenerator[Sequence[Message]]:
        """His messages everywhere; with `others` all that may be mentions, where he is a member."""
        async with aclosing(self._memberships()) as pages:
            async for page in pages:
                for each in page:
                    after: int | None = 0 if each.role is not None or not others else None
                    while after is not None:
                        said = await self._source.said(
                            self._user.id, each.conversation_id, after, limit=PAGE, others=others
                        )
                        yield said.messages
                        after = said.next_seq

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._services.now(), UTC)

    def _is_mentioned(self, message: Message) -> bool:
        return message.sender_id != self._user.id and bool(self._mentionable.find(message.text))

    async def _attachment(self, own: OwnAttachment) -> _AttachmentJson:
        attachment, lifetime = own.attachment, self._services.settings.export_link_lifetime
        url = expires_at = None
        if attachment.uploaded:
            expires_at = timestamp(self._now() + timedelta(seconds=lifetime))
            url = self._absolute(await self._services.attachments.own_link(attachment, lifetime))
        return _AttachmentJson(
            attachment.id,
            f"{ATTACHMENTS_PATH}/{attachment.id}",
            attachment.file_name,
            attachment.terms.content_type,
            attachment.terms.size,
            attachment.conversation_id,
            attachment.message_id,
            timestamp(own.created_at),
            url,
            expires_at,
        )


def _membership(each: Membership) -> _MembershipJson:
    return _MembershipJson(
        each.conversation_id,
        each.type,
        each.name,
        each.role,
        None if each.joined_at is None else timestamp(each.joined_at),
        each.read_seq,
        each.delivered_seq,
        None if each.muted_until is None else timestamp(each.muted_until),
    )


def _mention(message: Message) -> _MentionJson:
    return _MentionJson(
        message.conversation_id, message.id, message.seq, message.sender_id, timestamp(message.created_at)
    )
