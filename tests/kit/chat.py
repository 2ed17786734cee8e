"""The storage ports as one bundle, with shortcuts to fill them."""

import itertools
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import trio
from attrs import define, field

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.attachments import MemoryAttachmentStore
from actors.adapters.postgres.attachments import PostgresAttachmentStore
from actors.adapters.postgres.claims import PostgresClaims
from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.erasure import PostgresErasures
from actors.adapters.postgres.export import PostgresExport
from actors.adapters.postgres.groups import PostgresGroupStore
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.messages import PostgresMessageLog
from actors.adapters.postgres.relations import PostgresRelations
from actors.adapters.postgres.retention import PostgresRetention
from actors.adapters.postgres.search import PostgresMessageSearch
from actors.adapters.postgres.standings import PostgresStandings
from actors.adapters.postgres.users import PostgresUserDirectory
from actors.attachments.ports import Attachment, AttachmentStore, Terms
from actors.ports import ConversationStore, GroupStore, MessageHistory, MessageLog, Standings, UserDirectory
from actors.privacy.ports import Claims, ErasureStore, ExportSource, RetentionStore
from actors.relation_ports import Relations
from actors.search import MessageSearch
from chatcore.model import Appended, Conversation, ConversationType, NewMessage


@define
class Chat:
    """The ports over one store. Ids are drawn from `ids`, so that a run can be repeated."""

    log: MessageLog
    history: MessageHistory
    conversations: ConversationStore
    users: UserDirectory
    standings: Standings
    search: MessageSearch
    attachments: AttachmentStore = field(kw_only=True)
    groups: GroupStore
    relations: Relations
    claims: Claims
    retention: RetentionStore
    erasures: ErasureStore
    export: ExportSource
    ids: random.Random = field(factory=lambda: random.Random(7))
    _count: "itertools.count[int]" = field(factory=lambda: itertools.count(1))

    def new_id(self) -> UUID:
        return UUID(int=self.ids.getrandbits(128), version=4)

    async def user(self, name: str | None = None) -> UUID:
        """A new user."""
        user_id = self.new_id()
        number = next(self._count)
        await self.users.add(user_id, f"user{number}@example.com", name or f"User {number}")
        return user_id

    async def people(self, count: int) -> list[UUID]:
        return [await self.user() for _ in range(count)]

    async def group(self, owner: UUID, *members: UUID) -> UUID:
        """A new GROUP."""
        conversation, new = await self.conversations.create(
            self.new_id(), ConversationType.GROUP, owner, members, "Group", None
        )
        assert new
        return conversation.id

    async def direct(self, one: UUID, other: UUID) -> UUID:
        """The DIRECT conversation of two users."""
        kind = ConversationType.DIRECT
        return (await self.conversations.create(self.new_id(), kind, one, [other], None, None))[0].id

    def message(
        self,
        conversation_id: UUID,
        sender_id: UUID,
        text: str = "hello",
        client_message_id: str | None = None,
        reply_to: UUID | None = None,
        attachment_ids: tuple[UUID, ...] = (),
    ) -> NewMessage:
        return NewMessage(self.new_id(), conversation_id, sender_id, text, client_message_id, reply_to, attachment_ids)

    async def attachment(self, owner: UUID, *, uploaded: bool = True) -> UUID:
        """A new attachment's id."""
        new = Attachment(self.new_id(), owner, f"key{next(self._count)}", "cat.png", Terms("image/png", 3))
        await self.attachments.promise(new, upload_seconds=0.0, max_unused=100)
        if uploaded:
            await self.attachments.mark_uploaded([new.id])
        return new.id

    async def post(self, *messages: NewMessage) -> list[Appended]:
        """Append messages of which none is refused."""
        return appended(await self.log.append(messages))

    async def say(self, conversation_id: UUID, sender_id: UUID, *texts: str) -> list[Appended]:
        return await self.post(*(self.message(conversation_id, sender_id, text) for text in texts))

    async def load(self, conversation_id: UUID) -> Conversation:
        """A conversation that exists."""
        conversation = await self.conversations.load(conversation_id)
        assert conversation is not None
        return conversation


def appended(outcomes: Sequence[object]) -> list[Appended]:
    """The outcomes, of which none may be a refusal."""
    found = [each for each in outcomes if isinstance(each, Appended)]
    assert len(found) == len(outcomes), outcomes
    return found


def memory_chat() -> Chat:
    return chat_over(MemoryChat())


def chat_over(twin: MemoryChat) -> Chat:
    return Chat(
        twin.log,
        twin.history,
        twin.conversations,
        twin.users,
        twin.standings,
        twin.search,
        attachments=MemoryAttachmentStore(twin.state),
        groups=twin.groups,
        relations=twin.relations,
        claims=twin.claims,
        retention=twin.retention,
        erasures=twin.erasures,
        export=twin.export,
    )


def postgres_chat(database: Database) -> Chat:
    return Chat(
        PostgresMessageLog(database),
        PostgresMessageHistory(database),
        PostgresConversationStore(database),
        PostgresUserDirectory(database),
        PostgresStandings(database),
        PostgresMessageSearch(database),
        attachments=PostgresAttachmentStore(database),
        groups=PostgresGroupStore(database),
        relations=PostgresRelations(database),
        claims=PostgresClaims(database),
        retention=PostgresRetention(database),
        erasures=PostgresErasures(database),
        export=PostgresExport(database),
    )


@asynccontextmanager
async def running(database: Database) -> AsyncGenerator[Database]:
    """The database's task around the block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run)
        try:
            yield database
        finally:
            nursery.cancel_scope.cancel()


def database_for_tests(
    url: str,
    statement_timeout: float = 10.0,
    connect_timeout: float = 5.0,
    pool_size: int = 2,
    append_batch_limit: int = 256,
) -> Database:
    return Database(
        url,
        rng=random.Random(1),
        pool_size=pool_size,
        statement_timeout=statement_timeout,
        connect_timeout=connect_timeout,
        append_batch_limit=append_batch_limit,
    )
