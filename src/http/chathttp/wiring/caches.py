"""What a node keeps copies of, and how it hears that they are out of date."""

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from actors.bridge.actor import Bridge
from actors.bridge.staleness import Copied, StaleRelay
from actors.caching.cache import Cache, CacheFigures
from actors.caching.members import Members
from actors.caching.relations import CachedRelations
from actors.caching.users import CachedUserDirectory
from chatcore.model import User
from chathttp.policies import block_cache_policy, member_cache_policy, user_cache_policy
from chathttp.settings import Settings
from chathttp.wiring.stores import Stores


class Caches:
    """`users`, `relations` and `members` answer from copies; `members_changed` is to be called with a conversation,
    `profiles_changed` with users whom this node or another has changed otherwise than by `users`.
    """

    def __init__(self, settings: Settings, stores: Stores, relay: StaleRelay, bridge: Bridge | None) -> None:
        def is_told() -> bool:
            return bridge is None or bridge.hears_all

        def tell(what: Copied) -> Callable[[UUID], None]:
            return lambda key: relay.tell_stale(what, key)

        def profile_changed(user_id: UUID) -> None:
            stores.reads.profile_changed(user_id)
            relay.tell_stale(Copied.USERS, user_id)

        def members_changed(conversation_id: UUID) -> None:
            members.invalidate([conversation_id])
            relay.tell_stale(Copied.MEMBERS, conversation_id)

        def profiles_outdated(user_ids: Collection[UUID]) -> None:
            profiles.invalidate(user_ids)
            for user_id in user_ids:
                stores.reads.profile_changed(user_id)

        profiles = Cache[UUID, User]("users", user_cache_policy(settings), is_told=is_told)
        blocks = Cache[UUID, Sequence[UUID]](
            "blocks", block_cache_policy(settings), is_told=is_told, weigh=lambda blocked: 1 + len(blocked)
        )
        members = Cache[UUID, frozenset[UUID]]("members", member_cache_policy(settings), is_told=is_told, weigh=len)
        self._all = (profiles, blocks, members)
        self.users = CachedUserDirectory(stores.users, profiles, changed=profile_changed)
        self.relations = CachedRelations(stores.relations, blocks, changed=tell(Copied.BLOCKS))
        self.members = Members(stores.standings, members)
        self.members_changed = members_changed
        self.profiles_changed = profiles_outdated
        if bridge is not None:
            bridge.give_stale_to(Copied.USERS, profiles_outdated)
            bridge.give_stale_to(Copied.BLOCKS, blocks.invalidate)
            bridge.give_stale_to(Copied.MEMBERS, members.invalidate)

    def figures(self) -> list[CacheFigures]:
        return [each.figures for each in self._all]
