"""The replica is held to what is set, and is not there where none is."""

import random

from actors.adapters.postgres.replica import Reason, ReplicaPolicy
from chathttp.settings import Settings
from chathttp.wiring.stores import Stores, replica_policy

URL = "postgresql://nowhere/x"


def test_the_settings_defaults_are_those_of_the_replica() -> None:
    assert replica_policy(Settings()) == ReplicaPolicy()


def test_what_is_set_reaches_the_replica() -> None:
    settings = Settings(
        replica_lag_limit=1.0, replica_patience=0.2, replica_probe_interval=0.3, replica_probe_timeout=0.4
    )
    assert replica_policy(settings) == ReplicaPolicy(1.0, 0.2, 0.3, 0.4)


def test_there_is_a_replica_only_where_one_is_set() -> None:
    rng = random.Random(1)
    assert Stores.of(Settings(database_url=URL), rng).replica is None
    replica = Stores.of(Settings(database_url=URL, database_replica_url=URL), rng).replica
    assert replica is not None
    assert replica.refusal is Reason.DOWN
