"""Three nodes under load, and what a machine does to them: its disk is full, its clock jumps."""

import tempfile
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from tests.faults import faults
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.conftest import Holds
from tests.faults.machine import Clock, Disk, postgres_on_small_disk
from tests.faults.run import Load


@attrs.frozen
class Machine:
    cluster: Cluster
    disk: Disk
    clock: Clock


@pytest.fixture(scope="module")
def machine() -> Generator[Machine]:
    """Three nodes, the first with a clock of its own, on a PostgreSQL with a small disk."""
    with tempfile.TemporaryDirectory() as directory, postgres_on_small_disk() as (postgres, disk):
        clock = Clock(Path(directory))
        with running_cluster(postgres=postgres, env_of_first=clock.env) as cluster:
            yield Machine(cluster, disk, clock)


async def test_disk_of_postgres_full_heals_without_a_restart(machine: Machine, holds: Holds) -> None:
    cluster = machine.cluster
    pids = [cluster.postgres.pid, *(node.pid for node in cluster.nodes)]
    try:
        await holds(cluster, faults.disk_full(machine.disk), Load(text_size=3000))
    finally:
        machine.disk.free()
    assert [cluster.postgres.pid, *(node.pid for node in cluster.nodes)] == pids
    assert all(node.running for node in cluster.nodes)


@pytest.fixture
def full_disk() -> Generator[tuple[Cluster, Disk]]:
    """Three nodes on a PostgreSQL that has all it writes on a small disk."""
    with postgres_on_small_disk(with_wal=True) as (postgres, disk), running_cluster(postgres=postgres) as cluster:
        yield cluster, disk


async def test_disk_with_the_write_ahead_log_full_heals_with_postgres(
    full_disk: tuple[Cluster, Disk], holds: Holds
) -> None:
    cluster, disk = full_disk
    pids = [node.pid for node in cluster.nodes]
    try:
        await holds(cluster, faults.wal_disk_full(disk), Load(text_size=3000))
    finally:
        disk.free()
    assert [node.pid for node in cluster.nodes] == pids
    assert "PANIC" in cluster.postgres.cluster.log.path.read_text()


async def test_clock_of_one_node_jumps_by_an_hour_and_back(machine: Machine, holds: Holds) -> None:
    try:
        outcome = await holds(machine.cluster, faults.clock_jumps(machine.clock))
    finally:
        machine.clock.set(0)
    assert outcome.ends <= {"wandered"}
