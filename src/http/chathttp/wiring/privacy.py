"""Retention, erasure and export of a node."""

from collections.abc import Callable, Collection
from typing import Protocol
from uuid import UUID

import trio

from actors.bridge.news import Advanced, News
from actors.bridge.staleness import Copied, StaleRelay
from actors.conversation.directory import Conversations
from actors.conversation.messages import Refresh
from actors.privacy.erased import Erased
from actors.privacy.erasure import Erasures
from actors.privacy.export import Exports
from actors.privacy.retention import Retention
from chatcore.errors import ChatError
from chathttp.management.privacy_metrics import PrivacyFigures
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

    def figures(self) -> PrivacyFigures:
        retention, erasures, exports = self.retention.figures, self.erasures.figures, self.exports
        passed_at = retention.passed_at
        return PrivacyFigures(
            retention_deleted=retention.deleted,
            retention_passes=retention.passes,
            retention_failures=retention.rounds.failed,
            oldest_age=retention.oldest_age,
            since_pass=None if passed_at is None else trio.current_time() - passed_at,
            erasures_accepted=erasures.accepted,
            erasures_finished=erasures.finished,
            erasures_delayed=erasures.failed,
            erasures_waiting=erasures.waiting,
            tombstones=erasures.tombstones,
            erased=len(self.erased),
            exports_running=exports.running,
            exports_begun=exports.begun,
            exports_broken_off=exports.broken_off,
        )
