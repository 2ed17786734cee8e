"""What a node keeps in PostgreSQL: each port's adapter, over the database and its replica."""

import random
from typing import Self

from attrs import frozen

from actors.adapters.postgres.attachments import PostgresAttachmentStore
from actors.adapters.postgres.claims import PostgresClaims
from actors.adapters.postgres.conversations import PostgresConversationStore
from actors.adapters.postgres.database import Database
from actors.adapters.postgres.erasure import PostgresErasures
from actors.adapters.postgres.export import PostgresExport
from actors.adapters.postgres.features import PostgresFeatureStore
from actors.adapters.postgres.groups import PostgresGroupStore
from actors.adapters.postgres.history import PostgresMessageHistory
from actors.adapters.postgres.identity import PostgresIdentity
from actors.adapters.postgres.mails import PostgresMails
from actors.adapters.postgres.messages import PostgresMessageLog
from actors.adapters.postgres.push import PostgresDevices, PostgresPushes
from actors.adapters.postgres.relations import PostgresRelations
from actors.adapters.postgres.replica import Replica, ReplicaPolicy
from actors.adapters.postgres.retention import PostgresRetention
from actors.adapters.postgres.routed import ReadRouter, RoutedHistoryPages, RoutedMessageSearch, RoutedUserDirectory
from actors.adapters.postgres.standings import PostgresStandings
from chathttp.settings import Settings


@frozen
class Stores:
    """`replica` is None where none is set."""

    database: Database
    replica: Replica | None
    reads: ReadRouter
    messages: PostgresMessageLog
    history: PostgresMessageHistory
    pages: RoutedHistoryPages
    conversations: PostgresConversationStore
    groups: PostgresGroupStore
    relations: PostgresRelations
    standings: PostgresStandings
    search: RoutedMessageSearch
    features: PostgresFeatureStore
    attachments: PostgresAttachmentStore
    users: RoutedUserDirectory
    identity: PostgresIdentity
    claims: PostgresClaims
    retention: PostgresRetention
    erasures: PostgresErasures
    export: PostgresExport
    devices: PostgresDevices
    pushes: PostgresPushes
    mails: PostgresMails

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
        replica = _replica(settings, rng) if settings.database_replica_url else None
        reads = ReadRouter(replica, lag_limit=settings.replica_lag_limit)
        return cls(
            database=database,
            replica=replica,
            reads=reads,
            messages=PostgresMessageLog(database),
            history=PostgresMessageHistory(database),
            pages=RoutedHistoryPages(database, reads),
            conversations=PostgresConversationStore(database),
            groups=PostgresGroupStore(database),
            relations=PostgresRelations(database),
            standings=PostgresStandings(database),
            search=RoutedMessageSearch(database, reads),
            features=PostgresFeatureStore(database),
            attachments=PostgresAttachmentStore(database),
            users=RoutedUserDirectory(database, reads),
            identity=PostgresIdentity(database),
            claims=PostgresClaims(database),
            retention=PostgresRetention(database),
            erasures=PostgresErasures(database),
            export=PostgresExport(database),
            devices=PostgresDevices(database),
            pushes=PostgresPushes(database),
            mails=PostgresMails(database),
        )


def replica_policy(settings: Settings) -> ReplicaPolicy:
    return ReplicaPolicy(
        lag_limit=settings.replica_lag_limit,
        patience=settings.replica_patience,
        probe_interval=settings.replica_probe_interval,
        probe_timeout=settings.replica_probe_timeout,
    )


def _replica(settings: Settings, rng: random.Random) -> Replica:
    return Replica(
        settings.database_replica_url,
        settings.database_url,
        replica_policy(settings),
        rng=rng,
        pool_size=settings.replica_pool_size,
        statement_timeout=settings.statement_timeout,
        connect_timeout=settings.database_connect_timeout,
        queue_limit=settings.replica_queue,
        shown_reactors=settings.reaction_users,
    )
