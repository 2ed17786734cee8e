"""Three nodes under load, and partitions: packets are dropped without a word, and connections stay open."""

from tests.faults import faults
from tests.faults.cluster import Cluster
from tests.faults.conftest import SWEPT, Holds
from tests.faults.report import silence


async def test_node_parted_from_redis(cabled_cluster: Cluster, holds: Holds) -> None:
    assert silence(await holds(cabled_cluster, faults.REDIS_CABLE)) < SWEPT


async def test_node_parted_from_postgres(cabled_cluster: Cluster, holds: Holds) -> None:
    await holds(cabled_cluster, faults.DATABASE_CABLE)
