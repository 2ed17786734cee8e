"""Three nodes under load, and the faults between them and the services, by proxies of ours."""

import pytest

from tests.faults import faults
from tests.faults.cluster import Cluster
from tests.faults.conftest import SEED, Holds
from tests.faults.removal import remove_member
from tests.faults.report import swept
from tests.faults.run import mended


async def test_redis_connections_cut_in_mid_frame(proxied_cluster: Cluster, holds: Holds) -> None:
    assert swept(await holds(proxied_cluster, faults.REDIS_CUT))


async def test_one_node_refused_by_redis(proxied_cluster: Cluster, holds: Holds) -> None:
    assert swept(await holds(proxied_cluster, faults.REDIS_REFUSED))


async def test_one_nodes_database_connections_silent_then_gone(proxied_cluster: Cluster, holds: Holds) -> None:
    await holds(proxied_cluster, faults.DATABASE_SILENT)


@pytest.mark.parametrize("redis", faults.REMOVALS)
async def test_member_removed_on_one_node_is_cut_off_on_another(proxied_cluster: Cluster, redis: str) -> None:
    with mended(proxied_cluster):
        verdict = await remove_member(proxied_cluster, redis, seed=SEED)
        assert not verdict.violations, "\n".join([*map(str, verdict.violations[:8]), proxied_cluster.logs])
        assert verdict.seconds <= faults.REMOVALS[redis].within
