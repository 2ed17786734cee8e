"""The actors of a node: conversations, users, presence, and with a Redis the bridge to the other nodes."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from actors.adapters.memory.presence import MemoryPresenceStore
from actors.adapters.redis.broker import RedisBroker, RedisOptions
from actors.adapters.redis.presence import RedisPresenceStore
from actors.bridge.actor import Bridge
from actors.bridge.alone import Alone
from actors.bridge.broker import BrokerStatus
from actors.bridge.staleness import Copied
from actors.conversation.directory import supervise_conversations
from actors.conversation.purger import Purger
from actors.conversation.room import ConversationServices
from actors.features.actor import Features
from actors.presence.actor import Presence
from actors.runtime.events import SupervisorEvent
from actors.runtime.spec import RestartIntensity
from actors.tracing.tracer import Tracer
from actors.users.actor import Users
from chathttp.policies import bridge_policy, conversation_policy, presence_policy
from chathttp.settings import Settings
from chathttp.wire import JsonBodyEncoder
from chathttp.wiring.caches import Caches
from chathttp.wiring.privacy import Privacy
from chathttp.wiring.stores import Stores

INTENSITY: Final = RestartIntensity(max_restarts=5, within=30.0)


class House:
    """Built, not yet running: each part is a child of the node's supervisor.

    Attributes:
        bridge: None for a node that is alone.
        tracer: Follows messages here, and for the other nodes.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        new_id: Callable[[], UUID],
        rng: random.Random,
        on_event: Callable[[SupervisorEvent], None],
    ) -> None:
        redis = _make_redis(settings, new_id(), rng) if settings.redis_url else None
        self.tracer = Tracer(new_id(), limit=settings.console_traces)
        self.bridge = None if redis is None else self._make_bridge(settings, redis, stores, self.tracer.node_id)
        relay = Alone() if self.bridge is None else self.bridge
        self.users = Users(settings.notification_mailbox, relay, memory=settings.notification_memory)
        self.presence = Presence(
            MemoryPresenceStore(settings.presence_lifetime)
            if redis is None
            else RedisPresenceStore(redis, settings.presence_lifetime),
            relay,
            lambda conversation_id: self.conversations.live(conversation_id),
            new_id=new_id,
            now=utc_now,
            policy=presence_policy(settings),
        )
        self.features = Features(
            stores.features,
            limit=settings.max_features,
            refresh_seconds=settings.features_refresh,
            tell_others=lambda: relay.tell_stale(Copied.FEATURES),
        )
        self.caches = Caches(settings, stores, relay, self.bridge)
        if self.bridge is not None:
            self.bridge.give_presence_to(self.presence)
            self.bridge.give_stale_to(Copied.FEATURES, lambda _: self.features.refresh())
            self.bridge.give_traces_to(self.tracer)
            self.tracer.report = self.bridge.tell_traced
        self.privacy = Privacy(
            settings,
            stores,
            relay,
            lambda: self.conversations,
            holder=self.tracer.node_id,
            new_id=new_id,
            users_changed=self.caches.profiles_changed,
        )
        if self.bridge is not None:
            self.bridge.give_stale_to(Copied.ERASED, self.privacy.erased.hear)
        self.purger = Purger(stores.groups, interval=settings.purge_interval, batch=settings.purge_batch)
        self.conversations = supervise_conversations(
            ConversationServices(
                stores.messages,
                stores.history,
                stores.conversations,
                self.users,
                JsonBodyEncoder(),
                conversation_policy(settings),
                relay,
                self.presence,
                stores.groups,
                self.caches.members_changed,
            ),
            max_conversations=settings.max_conversations,
            intensity=INTENSITY,
            rng=rng,
            on_event=on_event,
        )

    def _make_bridge(self, settings: Settings, redis: RedisBroker, stores: Stores, node_id: UUID) -> Bridge:
        return Bridge(
            node_id,
            redis,
            stores.standings,
            conversations=lambda: self.conversations,
            marks_watched=lambda: self.conversations.marks_watched(),
            tell_users=lambda notify: self.users.tell(notify),
            policy=bridge_policy(settings),
        )

    @property
    def redis_is_up(self) -> bool:
        return self.bridge is not None and self.bridge.state.status is BrokerStatus.UP


def utc_now() -> datetime:
    return datetime.now(UTC)


def _make_redis(settings: Settings, node_id: UUID, rng: random.Random) -> RedisBroker:
    options = RedisOptions(
        url=settings.redis_url,
        node=str(node_id),
        cluster=settings.redis_cluster,
        timeout=settings.redis_timeout,
        probe_interval=settings.bridge_probe_interval,
        outbox=settings.bridge_outbox,
        outbox_bytes=settings.bridge_outbox_bytes,
        inbox=settings.bridge_inbox,
        inbox_bytes=settings.bridge_inbox_bytes,
    )
    return RedisBroker(options, rng)
