"""What a node keeps in PostgreSQL: one connection to it, and each port's adapter over that."""

import random
from typing import Self

from attrs import frozen

from actors.adapters.postgres.attachments import PostgresAttachmentStore
from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.features import PostgresFeatureStore
from actors.adapters.postgres.groups import PostgresGroupStore
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.messages import PostgresMessageLog
from actors.adapters.postgres.relations import PostgresRelations
from actors.adapters.postgres.search import PostgresMessageSearch
from actors.adapters.postgres.standings import PostgresStandings
from actors.adapters.postgres.users import PostgresUserDirectory
from chathttp.settings import Settings


@frozen
class Stores:
    database: Database
    messages: PostgresMessageLog
    history: PostgresMessageHistory
    conversations: PostgresConversationStore
    groups: PostgresGroupStore
    relations: PostgresRelations
    standings: PostgresStandings
    search: PostgresMessageSearch
    features: PostgresFeatureStore
    attachments: PostgresAttachmentStore
    users: PostgresUserDirectory
    identity: PostgresIdentity

    @classmethod
    def of(cls, settings: Settings, rng: random.Random) -> Self:
        database = Database(
            settings.database_url,
            rng=rng,
            pool_size=settings.database_pool_size,
            statement_timeout=settings.statement_timeout,
            connect_timeout=settings.database_connect_timeout,
            queue_limit=settings.database_queue,
            append_batch_limit=settings.append_batch_limit,
            append_batch_bytes=settings.append_batch_bytes,
            append_queue_limit=settings.append_queue,
            shown_reactors=settings.reaction_users,
        )
        return cls(
            database=database,
            messages=PostgresMessageLog(database),
            history=PostgresMessageHistory(database),
            conversations=PostgresConversationStore(database),
            groups=PostgresGroupStore(database),
            relations=PostgresRelations(database),
            standings=PostgresStandings(database),
            search=PostgresMessageSearch(database),
            features=PostgresFeatureStore(database),
            attachments=PostgresAttachmentStore(database),
            users=PostgresUserDirectory(database),
            identity=PostgresIdentity(database),
        )
