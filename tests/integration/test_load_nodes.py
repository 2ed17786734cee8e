"""The load tester against several nodes at once."""

from collections.abc import Generator
from pathlib import Path

import pytest

from chatload.result import read_result
from tests.kit.command import stackmentor
from tests.kit.devnodes import DevNodes
from tests.kit.postgres import remove_scratch, scratch_directory


@pytest.fixture(scope="module")
def nodes() -> Generator[DevNodes]:
    directory = scratch_directory()
    with DevNodes(directory, 3, env={"STACKMENTOR_SEND_RATE": "10000", "STACKMENTOR_SEND_BURST": "10000"}) as nodes:
        yield nodes
        nodes.stop()
    remove_scratch(directory)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("fanout", ["--subscribers", "12", "--publishers", "3"]),
        ("rooms", ["--conversations", "6", "--members", "6"]),
        ("direct", ["--pairs", "9"]),
        ("connect-storm", ["--subscribers", "9", "--publishers", "3", "--storms", "1", "--offline", "0.3"]),
    ],
)
def test_every_subscriber_on_every_node_gets_everything_once(
    nodes: DevNodes, tmp_path: Path, kind: str, options: list[str]
) -> None:
    urls = [word for url in nodes.urls for word in ("--url", url)]
    times = ["--rate", "30", "--warm-up", "0.5", "--hold", "2", "--drain", "10", "--processes", "2"]
    out = tmp_path / "result.json"
    command = ["load", kind, *urls, *options, *times, "--json", str(out)]
    done = stackmentor(*command, data_dir=nodes.data_dir)
    assert done.returncode == 0, done.stdout + done.stderr
    result = read_result(out)
    assert result.faults.total == 0
    assert result.counts["sent"] == result.counts["acknowledged"] == result.counts["completed"] == 75
    assert result.url == ", ".join(nodes.urls)
    pids = sorted(nodes.node_pid(number) for number in (1, 2, 3))
    assert result.hardware.server == ", ".join(f"process {pid}" for pid in pids)
    assert result.server_cpu is not None
    assert result.server_cpu > 0
