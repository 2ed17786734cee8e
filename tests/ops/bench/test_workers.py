from pathlib import Path

import pytest

from ops.bench import workers
from ops.bench.kept import read_kept


def test_a_tiny_run_measures_one_and_two_workers_and_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "WARM_UP", 2)
    out = tmp_path / "workers.json"
    sizes = ["--subscribers", "40", "--publishers", "2", "--seconds", "0.5", "--rounds", "1"]
    assert workers.main([*sizes, "--out", str(out)]) == 0
    found = read_kept(out, workers.Workers)
    assert (found.one.workers, found.two.workers) == (1, 2)
    assert min(found.two.connections) > 10
    for side in (found.one, found.two):
        assert side.deliveries_per_second > 0
        assert side.cpu > 0
        assert side.cores.workers > 0
        assert side.cores.meter > 0
    assert capsys.readouterr().out == workers.markdown(found)
