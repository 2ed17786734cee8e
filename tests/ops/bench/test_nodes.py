from pathlib import Path

import pytest

from ops.bench import nodes
from ops.bench.kept import read_kept


def test_a_tiny_run_measures_both_nodes_and_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(nodes, "WARM_UP", 0.2)
    out = tmp_path / "nodes.json"
    sizes = ["--subscribers", "2", "--rate", "40", "--seconds", "1", "--rounds", "1"]
    assert nodes.main([*sizes, "--out", str(out)]) == 0
    found = read_kept(out, nodes.Crossing)
    assert found.messages == 80
    for side in (found.same, found.other):
        assert 0 < side.delivery.p50 <= side.delivery.p99
        assert side.cpu > 0
    assert capsys.readouterr().out == nodes.markdown(found)
