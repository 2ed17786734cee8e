"""The comparison itself, with broadcasters in the place of peers, and this server as it is measured."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from ops.bench.broadcast.broadcaster import running_broadcaster
from ops.bench.broadcast.build import Programs, build
from ops.bench.broadcast.meter import MARK, Meter, MeterError, Plan
from ops.bench.client import cpu_seconds
from ops.bench.peers import stackmentor
from ops.bench.peers.broadcaster import PEER as BROADCASTER
from ops.bench.peers.bystanders import Bystanders
from ops.bench.peers.compare import CASES, Bench, Case, Comparison
from ops.bench.peers.peer import Audience, Peer, Server
from ops.bench.peers.processes import Cores, PeerError, family_of, wait_for_port
from ops.bench.peers.report import REST, Row

CLOSED: Final = Case("closed", publishers=2, in_flight=4)
OPEN: Final = Case("open", deliveries_per_second=1000)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("broadcast"))


def broadcasting_peer(programs: Programs, name: str, template: str = "{text}") -> Peer:
    @contextmanager
    def start(_audience: Audience, _cores: Cores) -> Generator[Server]:
        with running_broadcaster(programs.broadcaster) as server:
            yield Server(port=server.port, pids=[server.pid], template=template)

    return Peer(name=name, version=lambda: "1", start=start)


def rows(programs: Programs, peer: Peer, *cases: Case) -> list[Row]:
    ours = broadcasting_peer(programs, "ours", f"{'a longer wrapper ' * 20}{{text}}")
    comparison = Comparison(programs.meter, ours, Cores.of_this_machine(), rounds=2, seconds=0.2)
    return list(comparison.rows([peer], 5, cases))


def test_both_sides_are_measured_in_every_case(programs: Programs) -> None:
    found = rows(programs, broadcasting_peer(programs, "other"), CLOSED, OPEN)
    assert [(row.peer, row.case, row.rounds, row.skipped) for row in found] == [
        ("other", "closed", 2, ""),
        ("other", "open", 2, ""),
    ]
    for row in found:
        assert row.ours is not None
        assert row.theirs is not None
        assert (row.ours.faults, row.theirs.faults) == (0, 0)
        assert row.ours.delivery.count > 0
        assert row.ratios["deliveries_per_second"] > 0
    opened = found[1].theirs
    assert opened is not None
    assert opened.deliveries_per_second == pytest.approx(1000, rel=0.3)


def test_a_peer_that_adds_to_the_message_is_given_less_text_so_that_frames_are_equal(programs: Programs) -> None:
    wordy = broadcasting_peer(programs, "wordy", '{"a wrapper around the text": "{text}"}')
    (row,) = rows(programs, wordy, CLOSED)
    assert row.ours is not None
    assert row.theirs is not None
    assert row.theirs.bytes_per_delivery == row.ours.bytes_per_delivery


def test_a_peer_that_fails_is_a_row_that_says_so(programs: Programs) -> None:
    @contextmanager
    def start(_audience: Audience, _cores: Cores) -> Generator[Server]:
        raise PeerError("not today")
        yield

    (row,) = rows(programs, Peer(name="broken", version=lambda: "1", start=start), CLOSED)
    assert (row.case, row.skipped, row.ours) == (REST, "failed: not today", None)


def test_a_server_that_delivers_nothing_is_not_measured(programs: Programs) -> None:
    with (
        running_broadcaster(programs.broadcaster, drop_every=1) as server,
        Meter(programs.meter, server.port, 5, MARK, publish_path="/publish", stall=0.2) as meter,
        pytest.raises(MeterError, match="silent delivered nothing, 10 deliveries were waited for"),
    ):
        Bench("silent", meter, 0.0, []).measure(Plan(in_flight=2, messages=2))


@pytest.mark.parametrize(
    ("case", "subscribers", "sustained", "reason"),
    [
        (OPEN, 10, 999, "does not sustain it: 999 deliveries/s"),
        (OPEN, 10, 1001, ""),
        (CLOSED, 5000, 4000, "one filling of the loop takes 10 s"),
        (CLOSED, 5000, 100_000, ""),
    ],
)
def test_what_would_take_too_long_is_left_out(case: Case, subscribers: int, sustained: float, reason: str) -> None:
    assert case.obstacle(subscribers, sustained) == reason


def test_a_warm_up_is_short_for_the_slow_and_fills_the_loop_of_all() -> None:
    assert CLOSED.plan(1000, 1.0, sustained=1_000_000).warmup == 300
    assert CLOSED.plan(1000, 1.0, sustained=100).warmup == 2
    assert [case.plan(100, 1.0, 1000).rate for case in CASES] == [0, 0, 0, 200, 500]


def test_the_broadcaster_as_a_peer_delivers(programs: Programs) -> None:
    with (
        BROADCASTER.start(Audience(1, 3), Cores.of_this_machine()) as server,
        Meter(programs.meter, server.port, 3, server.body(200), publish_path=server.publish_path) as meter,
    ):
        found = meter.measure(Plan(messages=20))
    assert (found.deliveries, found.faults, found.bytes_per_delivery) == (60, 0, 204)


def test_this_server_delivers_every_message_with_a_receipt(programs: Programs) -> None:
    cores = Cores.of_this_machine()
    with stackmentor.PEER.start(Audience(2, 3), cores) as server:
        cpu = {"server": server.pids, "database": server.database_pids}
        body = server.body(100)
        with Meter(
            programs.meter, server.port, 3, body, publishers=2, path="/ws", stomp=server.stomp, cpu=cpu
        ) as meter:
            found = meter.measure(Plan(publishers=2, in_flight=2, messages=20, warmup=4))
    assert (found.deliveries, found.faults) == (60, 0)
    assert found.receipt is not None
    assert found.receipt.count == 20
    assert len(server.database_pids) > 1
    assert 400 < found.bytes_per_delivery < 1000


def test_a_body_has_the_mark_once_and_the_size_asked_for() -> None:
    server = Server(port=1, pids=[], template='{"text":"{text}"}')
    body = server.body(100)
    assert body.count(MARK) == 1
    assert len(body.replace(MARK, "x" * 13)) == len('{"text":""}') + 100


def test_a_process_that_ends_without_listening_is_an_error_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("no such option")
    with subprocess.Popen(["true"]) as process:
        process.wait()
        with pytest.raises(PeerError, match="no such option"):
            wait_for_port(1, process, log)


def test_what_others_use_is_told_from_what_the_measured_use() -> None:
    cores = sorted(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        with Bystanders(cores, [busy.pid]) as known, Bystanders(cores, []) as unknown:
            deadline = cpu_seconds(busy.pid) + 0.3
            while cpu_seconds(busy.pid) < deadline:
                time.sleep(0.02)
        busy.kill()
    assert unknown.share > known.share
    assert unknown.share > 0


def test_a_family_has_the_process_and_what_it_started() -> None:
    with subprocess.Popen(["sleep", "5"]) as child:
        assert {os.getpid(), child.pid} <= set(family_of(os.getpid()))
        child.kill()
