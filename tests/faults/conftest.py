"""Clusters that the tests of one module share: whatever a test has done to one is undone after it."""

from collections.abc import Awaitable, Callable, Generator

import pytest

from tests.faults.cluster import Cluster, Wired, running_cluster
from tests.faults.run import Fault, Load, Outcome, mended, run_fault

SEED = 1
Holds = Callable[..., Awaitable[Outcome]]


@pytest.fixture(scope="module")
def cluster() -> Generator[Cluster]:
    """Three nodes on one PostgreSQL and one Redis."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proxied_cluster() -> Generator[Cluster]:
    """The same, with a proxy between each node and each service."""
    with running_cluster(wired=Wired.BY_PROXIES) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cabled_cluster() -> Generator[Cluster]:
    """The same, with a cable between each node and each service."""
    with running_cluster(wired=Wired.BY_CABLES) as cluster:
        yield cluster


@pytest.fixture
def holds() -> Holds:
    """Runs a fault on a cluster and demands that every guarantee was kept."""

    async def run(cluster: Cluster, fault: Fault, load: Load | None = None) -> Outcome:
        with mended(cluster):
            outcome = await run_fault(cluster, fault, seed=SEED, load=load)
            assert not outcome.failed, f"{outcome.tell()}\n{cluster.logs}"
        return outcome

    return run
