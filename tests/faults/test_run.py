"""A run finds what is wrong with real servers, too."""

from collections.abc import Generator

import attrs
import pytest

from tests.faults import faults, run
from tests.faults.checker import Kind
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.removal import remove_member
from tests.faults.run import Fault, Load, Scene, mended, run_fault


@pytest.fixture(scope="module")
def strangers() -> Generator[Cluster]:
    """Two nodes on one database, that do not know of each other."""
    with running_cluster(2, bridged=False) as cluster:
        yield cluster


@pytest.fixture
def careless() -> Generator[Cluster]:
    """Two nodes that do not compare with the database while Redis is away."""
    with running_cluster(2, env={"STACKMENTOR_SWEEP_INTERVAL_AWAY": "3600"}) as cluster:
        yield cluster


async def test_node_that_does_not_hear_of_a_removal_is_found_out(careless: Cluster) -> None:
    with mended(careless):
        verdict = await remove_member(careless, "frozen", seed=1)
    assert verdict.seconds > faults.REMOVALS["frozen"].within
    assert {violation.kind for violation in verdict.violations} == {Kind.AFTER_REMOVAL}


async def test_nodes_that_do_not_hear_of_each_other_are_found_out(
    strangers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SETTLE_PATIENCE", 1.0)
    outcome = await run_fault(strangers, faults.CALM, seed=1, load=Load(flow_patience=2.0))
    assert outcome.failed
    assert outcome.heal is None
    assert {violation.kind for violation in outcome.violations} == {Kind.MISSED}
    told = outcome.tell()
    assert "seed 1" in told
    assert "missed: far last-" in told


async def test_fault_that_does_not_end_as_it_should_fails_the_run(strangers: Cluster) -> None:
    async def cause(scene: Scene) -> None:
        scene.note("it begins")
        raise AssertionError("status 1")

    alone = attrs.evolve(strangers, nodes=strangers.nodes[:1])
    outcome = await run_fault(alone, Fault("broken", cause), seed=1)
    assert outcome.failed
    assert not outcome.violations
    assert "it begins" in outcome.tell()
    assert "status 1" in outcome.tell()
