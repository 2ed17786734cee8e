"""Three nodes under load, and partitions: packets are dropped without a word, and connections stay open."""

from tests.faults import faults
from tests.faults.cluster import Cluster
from tests.faults.conftest import Holds
from tests.faults.report import swept


async def test_node_parted_from_redis(cabled_cluster: Cluster, holds: Holds) -> None:
    assert swept(await holds(cabled_cluster, faults.REDIS_CABLE))


async def test_node_parted_from_postgres(cabled_cluster: Cluster, holds: Holds) -> None:
    await holds(cabled_cluster, faults.DATABASE_CABLE)
