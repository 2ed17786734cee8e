"""Three nodes under load on a Redis Cluster of three masters, and its faults."""

from collections.abc import Generator

import pytest

from tests.faults import redis_cluster
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.conftest import Holds
from tests.faults.report import swept


@pytest.fixture(scope="module")
def clustered() -> Generator[Cluster]:
    with running_cluster(clustered=True) as cluster:
        yield cluster


async def test_one_master_of_a_redis_cluster_killed_and_restarted(clustered: Cluster, holds: Holds) -> None:
    assert swept(await holds(clustered, redis_cluster.MASTER_KILLED))


async def test_slots_of_a_redis_cluster_moved_while_all_write(clustered: Cluster, holds: Holds) -> None:
    await holds(clustered, redis_cluster.SLOTS_MOVED)
