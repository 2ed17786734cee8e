"""The load tester against a server that does something wrong: the run must fail, and say what."""

import os
import signal
import threading
from pathlib import Path

import pytest

from chatload.control import run
from chatload.job import Job
from chatload.progress import Phase, Progress
from chatload.rest import RestError
from chatload.result import Interval, Result
from chatload.scenario import make_scenario
from chatload.server_probe import NoProbe
from chatload.users import LoadUser
from chatload.workers import WorkerError
from tests.chatload.faulty_server import FaultyServer, Wrong

QUIET = {"warm_up": 0.0, "hold": 0.6, "drain": 0.6, "rate": 50.0, "subscribers": 4, "publishers": 2}
STALL = 0.3


class Silent:
    """Implements `Progress`."""

    def on_phase(self, name: str) -> None: ...
    def on_interval(self, interval: Interval) -> None: ...


def worker_of_this_thread() -> int:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    (worker,) = [pid for pid in children if b"chatload.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(worker)


class KillsAWorker(Silent):
    """As the kernel does it when memory runs out."""

    def on_phase(self, name: str) -> None:
        if name == Phase.HOLD:
            os.kill(worker_of_this_thread(), signal.SIGKILL)


class HoldsUpAWorker(Silent):
    """As a machine does it that has too much to do."""

    def on_phase(self, name: str) -> None:
        if name == Phase.HOLD:
            worker = worker_of_this_thread()
            os.kill(worker, signal.SIGSTOP)
            threading.Timer(STALL, os.kill, (worker, signal.SIGCONT)).start()


def ran(wrong: Wrong, processes: int = 1, progress: Progress | None = None, **values: float) -> Result:
    users = [LoadUser(f"u{number}", f"t{number}") for number in range(6)]
    with FaultyServer(wrong) as server:
        scenario = make_scenario("fanout", {**QUIET, **values})
        job = Job(scenario=scenario, urls=[server.url], users=users, processes=processes, probe=NoProbe())
        return run(job, progress or Silent())


def faults(result: Result) -> dict[str, int]:
    found = result.faults
    plain = {
        "lost": found.lost,
        "doubled": found.doubled,
        "out_of_order": found.out_of_order,
        "unacknowledged": found.unacknowledged,
        **found.errors,
    }
    return {name: count for name, count in plain.items() if count}


@pytest.mark.parametrize("processes", [1, 2])
def test_server_without_fault_passes(processes: int) -> None:
    result = ran(Wrong(), processes)
    assert faults(result) == {}
    assert not result.failed
    assert result.counts["sent"] == result.counts["acknowledged"] == result.counts["completed"] == 30
    assert result.counts["delivered"] == result.latencies["delivery"].count == 4 * 30
    assert result.latencies["completion"].count == result.latencies["receipt"].count == 30
    assert result.latencies["connect"].count == 6
    assert result.meter_processes == processes


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        pytest.param(Wrong(drop=frozenset({(1, 7), (2, 9)})), {"lost": 2}, id="drops"),
        pytest.param(Wrong(drop=frozenset({(1, 30)})), {"lost": 1}, id="drops the last"),
        pytest.param(Wrong(double=frozenset({(0, 5)})), {"doubled": 1}, id="doubles"),
        pytest.param(Wrong(double=frozenset({(3, 30)})), {"doubled": 1}, id="doubles the last"),
        pytest.param(Wrong(swap=frozenset({(2, 8)})), {"out_of_order": 1}, id="swaps"),
        pytest.param(Wrong(silent=frozenset({4})), {"unacknowledged": 1}, id="gives no receipt"),
        pytest.param(Wrong(refuse=frozenset({3, 6})), {"RATE_LIMITED": 2}, id="refuses"),
        pytest.param(Wrong(other=frozenset({(1, 5)})), {"WRONG_MESSAGE": 1}, id="gives another message the number"),
        pytest.param(Wrong(close={(1, 5): 1011}), {"CLOSED_1011": 1}, id="closes"),
        pytest.param(Wrong(close={(1, 5): 1013}), {"CLOSED_1013": 1}, id="closes one that is not slow as slow"),
        pytest.param(Wrong(close={(1, 5): 1008}), {"CLOSED_1008": 1, "lost": 26}, id="closes for good"),
    ],
)
def test_each_fault_fails_the_run_and_is_named(wrong: Wrong, found: dict[str, int]) -> None:
    result = ran(wrong)
    assert faults(result) == found
    assert result.failed


def test_who_is_closed_comes_back_and_resumes_after_what_he_has() -> None:
    result = ran(Wrong(close={(1, 5): 1012}))
    assert (result.faults.lost, result.counts["resumes"]) == (0, 1)
    assert result.latencies["resume"].count == 1


def waits_of(result: Result, longer_than: float) -> list[float]:
    """Milliseconds from due to RECEIPT."""
    buckets = result.latencies["receipt"].buckets
    return [bound for bound, count in buckets for _ in range(count) if bound > longer_than]


@pytest.mark.parametrize(
    ("wrong", "progress"),
    [
        pytest.param(Wrong(stall={2: STALL}), Silent(), id="the server stands still"),
        pytest.param(Wrong(), HoldsUpAWorker(), id="the tester stands still"),
    ],
)
def test_every_send_that_falls_due_in_a_stall_counts_its_wait(wrong: Wrong, progress: Progress) -> None:
    result = ran(wrong, progress=progress)
    assert not result.failed
    # 15 sends fall due within the stall: the first waits for all of it, each after that for 20 ms less.
    waits = waits_of(result, 20)
    assert len(waits) >= 12
    assert max(waits) >= 0.9 * STALL * 1000
    assert sum(waits) >= 0.9 * sum(range(20, int(STALL * 1000), 20))
    assert result.counts["sent"] == 30


def test_send_that_left_late_is_noted() -> None:
    notes = ran(Wrong(), progress=HoldsUpAWorker()).notes
    assert any(note.startswith("a send left ") for note in notes)


def test_closed_loop_waits_for_the_deliveries_and_not_for_a_clock() -> None:
    result = ran(Wrong(stall={10: STALL}), rate=0.0, in_flight=2)
    assert not result.failed
    assert 1 <= len(waits_of(result, 200)) <= 2
    assert result.counts["sent"] > 60


def test_run_that_has_nothing_to_connect_to_says_so() -> None:
    with FaultyServer(Wrong()) as server:
        url = server.url
    users = [LoadUser("u", "t")]
    job = Job(scenario=make_scenario("fanout", QUIET), urls=[url], users=users, processes=1, probe=NoProbe())
    with pytest.raises(RestError, match="POST /api/conversations: "):
        run(job, Silent())


def test_server_that_lets_nobody_in_ends_the_run_with_its_answer() -> None:
    with pytest.raises(WorkerError, match=r"the WebSocket handshake was refused: HTTP/1\.1 503 Service Unavailable"):
        ran(Wrong(full=True))


def test_who_is_deferred_comes_back_when_told_and_counts_the_wait() -> None:
    result = ran(Wrong(later=2))
    assert faults(result) == {}
    assert (result.counts["deferred"], result.counts["connects"]) == (2, 6)
    waits = [bound for bound, count in result.latencies["connect"].buckets for _ in range(count)]
    assert sum(1000 <= wait < 3000 for wait in waits) == 2
    assert any(note.startswith("2 times the server did not let a connection in") for note in result.notes)


def test_worker_that_dies_ends_the_run() -> None:
    with pytest.raises(WorkerError, match="worker 0 has died"):
        ran(Wrong(), progress=KillsAWorker())
