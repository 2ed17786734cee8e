"""Three nodes under load, and each of the faults that need nothing between them and the services."""

from tests.faults import faults
from tests.faults.cluster import Cluster
from tests.faults.conftest import Holds
from tests.faults.history import MarksSeen
from tests.faults.report import latencies, swept

GONE = {"1012", "wandered", "refused", "handshake 503"}
"""How connections may end at a roll: closed for the drain, left by their client, or not let in."""


async def test_no_fault(cluster: Cluster, holds: Holds) -> None:
    outcome = await holds(cluster, faults.CALM)
    assert outcome.ends <= {"wandered"}
    same, cross = latencies(outcome.histories)
    assert same.deliveries > 100
    assert cross.deliveries > 100
    busy, _ = outcome.histories
    assert busy.reads
    assert any(each.acked for each in busy.edited.values())
    assert all(any(isinstance(entry, MarksSeen) for entry in log.entries) for log in busy.logs)


async def test_redis_killed_and_restarted(cluster: Cluster, holds: Holds) -> None:
    assert swept(await holds(cluster, faults.REDIS_KILLED))


async def test_redis_frozen_for_ten_seconds(cluster: Cluster, holds: Holds) -> None:
    assert swept(await holds(cluster, faults.REDIS_FROZEN))


async def test_postgres_killed_and_restarted(cluster: Cluster, holds: Holds) -> None:
    await holds(cluster, faults.POSTGRES_KILLED)


async def test_postgres_frozen_for_ten_seconds(cluster: Cluster, holds: Holds) -> None:
    await holds(cluster, faults.POSTGRES_FROZEN)


async def test_node_killed_in_a_loop(cluster: Cluster, holds: Holds) -> None:
    outcome = await holds(cluster, faults.NODE_KILLED)
    assert "1006" in outcome.ends, "nobody was on it"


async def test_node_frozen_for_fifteen_seconds(cluster: Cluster, holds: Holds) -> None:
    outcome = await holds(cluster, faults.NODE_FROZEN)
    assert "silent" in outcome.ends, "nobody was on it"


async def test_nodes_rolled_and_no_client_sees_another_error_than_the_close(cluster: Cluster, holds: Holds) -> None:
    outcome = await holds(cluster, faults.NODES_ROLLED)
    assert "1012" in outcome.ends
    assert outcome.ends <= GONE
    assert outcome.failed_calls <= {"ConnectError"}, "a request in flight was cut"


async def test_two_of_redis_postgres_and_a_node_killed_or_frozen_at_once(cluster: Cluster, holds: Holds) -> None:
    await holds(cluster, faults.TWO_AT_ONCE)
