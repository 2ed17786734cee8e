"""Retention, erasure and export of a node."""

from collections.abc import Callable, Collection
from typing import Protocol
from uuid import UUID

from actors.bridge.news import Advanced, News
from actors.bridge.staleness import Copied, StaleRelay
from actors.conversation.directory import Conversations
from actors.conversation.messages import Refresh
from actors.privacy.erased import Erased
from actors.privacy.erasure import Erasures
from actors.privacy.export import Exports
from actors.privacy.retention import Retention
from chatcore.errors import ChatError
from chathttp.policies import erasure_policy, export_policy, retention_policy
from chathttp.settings import Settings
from chathttp.wiring.stores import Stores


class _Relay(StaleRelay, Protocol):
    def tell_conversation(self, conversation_id: UUID, news: News) -> None: ...


class Privacy:
    """`holder` is what this node is known by to those with whom it shares the work."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        relay: _Relay,
        conversations: Callable[[], Conversations],
        *,
        holder: UUID,
        new_id: Callable[[], UUID],
        users_changed: Callable[[Collection[UUID]], None],
    ) -> None:
        def changed(conversation_id: UUID, rev: int) -> None:
            """Those who have it in memory compare with the database; whoever is too busy finds it by its sweep."""
            actor = conversations().live(conversation_id)
            try:
                if actor is not None:
                    actor.tell(Refresh())
            except ChatError:
                return
            finally:
                relay.tell_conversation(conversation_id, Advanced(rev))

        self.retention = Retention(stores.retention, stores.claims, retention_policy(settings), holder, changed)
        self.erased = Erased(
            stores.erasures,
            refresh_seconds=settings.erasure_refresh,
            tell_others=lambda user_id: relay.tell_stale(Copied.ERASED, user_id),
        )
        self.erased.closers.append(users_changed)
        self.erasures = Erasures(
            stores.erasures,
            self.erased,
            conversations,
            erasure_policy(settings),
            holder=holder,
            changed=changed,
            new_id=new_id,
        )
        self.exports = Exports(stores.export, stores.claims, export_policy(settings), new_id)
