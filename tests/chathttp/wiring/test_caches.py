"""The copies that a node keeps: as large and as old as is set, outdated here and on the other nodes."""

import random
from uuid import UUID

import pytest

from actors.bridge.alone import Alone
from actors.bridge.staleness import Copied
from actors.caching.cache import CachePolicy
from chathttp.policies import block_cache_policy, member_cache_policy, user_cache_policy
from chathttp.settings import Settings, SettingsError
from chathttp.wiring.caches import Caches
from chathttp.wiring.stores import Stores


class Relay(Alone):
    def __init__(self) -> None:
        self.told: list[tuple[Copied, UUID]] = []

    def tell_stale(self, what: Copied, *keys: UUID) -> None:
        self.told += [(what, key) for key in keys]


def test_sizes_and_ages_are_those_that_are_set() -> None:
    settings = Settings(
        user_cache_size=1,
        user_cache_age=2.0,
        block_cache_size=3,
        block_cache_age=4.0,
        member_cache_size=5,
        member_cache_age=0.6,
        cache_age_unsure=0.7,
    )
    assert user_cache_policy(settings) == CachePolicy(1, 2.0, 0.7)
    assert block_cache_policy(settings) == CachePolicy(3, 4.0, 0.7)
    assert member_cache_policy(settings) == CachePolicy(5, 0.6, 0.7)


def test_a_membership_is_never_believed_for_more_than_a_second() -> None:
    assert Settings().member_cache_age <= 1.0
    with pytest.raises(SettingsError, match="STACKMENTOR_MEMBER_CACHE_AGE"):
        Settings(member_cache_age=1.1)


async def test_other_nodes_are_told_of_members_who_came_or_went() -> None:
    relay, settings = Relay(), Settings(database_url="postgresql://nowhere/x")
    caches = Caches(settings, Stores.of(settings, random.Random(1)), relay, None)
    caches.members_changed(UUID(int=3))
    assert relay.told == [(Copied.MEMBERS, UUID(int=3))]
    assert [each.name for each in caches.figures()] == ["users", "blocks", "members"]
