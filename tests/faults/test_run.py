"""A run finds what is wrong with real servers, too."""

from collections.abc import Generator

import pytest

from tests.faults import faults, run
from tests.faults.checker import Kind
from tests.faults.cluster import Cluster, running_cluster
from tests.faults.run import Load, run_fault


@pytest.fixture
def strangers() -> Generator[Cluster]:
    """Two nodes on one database, that do not know of each other."""
    with running_cluster(2, bridged=False) as cluster:
        yield cluster


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
