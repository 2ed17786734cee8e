"""A run from its beginning to its result: the process that starts the workers and tells them what to do."""

import contextlib
import math
import os
import resource
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from chatload.findings import make_result
from chatload.gather import Gathering
from chatload.job import Job, Outcome
from chatload.messages import Answer, Finish, Go, Ready, Report, Settled, Setup
from chatload.messages import Final as FinalAnswer
from chatload.plan import Plan, make_plan
from chatload.progress import Phase, Progress
from chatload.rest import Rest
from chatload.result import Result
from chatload.worker.endpoint import Endpoint
from chatload.worker.lives import DEFERRED_AT_MOST
from chatload.workers import WorkerError, Workers, started_workers

CONNECT_TIMEOUT: Final = 30.0
"""Seconds for one connection to come to stand."""
_START_DELAY: Final = 0.1
_END_PATIENCE: Final = 10.0
_LONGEST_SERIES: Final = 1800
"""Intervals of a run; longer runs have longer intervals than a second."""
_OTHER_FILES: Final = 32


def default_processes() -> int:
    """All cores but one, at least one."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def run(job: Job, progress: Progress) -> Result:
    """Raises `EndpointError`, `RestError`, `ScenarioError` and `WorkerError` when there is nothing to measure."""
    endpoints = [Endpoint.of(url) for url in job.urls]
    started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    progress.on_phase(Phase.PREPARE)
    with contextlib.closing(Rest(job.urls[0])) as rest:
        sources = all(each.is_loopback and each.family == socket.AF_INET for each in endpoints)
        plan = make_plan(job.scenario, job.users, rest, job.processes, servers=len(endpoints), many_sources=sources)
    _check_descriptors(plan)
    with started_workers(len(plan.workers)) as workers:
        return make_result(_Run(job, plan, workers, progress).run(), job, plan, endpoints, started_at)


def _check_descriptors(plan: Plan) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(len(connections) for connections in plan.workers)
    if hard != resource.RLIM_INFINITY and most + _OTHER_FILES > hard:
        raise WorkerError(f"{most} connections of one process need more open files than {hard}: raise ulimit -n")


class _Run:
    def __init__(self, job: Job, plan: Plan, workers: Workers, progress: Progress) -> None:
        self._scenario = job.scenario
        self._plan = plan
        self._workers = workers
        self._progress = progress
        self._job = job
        self._start = time.monotonic_ns()
        self._gathering = Gathering(self._start, plan.listeners, len(workers), job.probe)
        self._ready: list[Ready] = []
        self._settled = 0
        self._highest: dict[int, int] = {}

    def run(self) -> Outcome:
        scenario, progress = self._scenario, self._progress
        progress.on_phase(Phase.CONNECT)
        self._workers.tell_each(self._setups())
        patience = scenario.ramp + DEFERRED_AT_MOST + 2 * CONNECT_TIMEOUT
        if not self._pump(self._start + _ns(patience), lambda: len(self._ready) == len(self._workers)):
            raise WorkerError(f"not all {self._plan.connections} connections stand after {patience:g} seconds")
        go = self._traffic()
        self._gathering.measured_from = go.measured
        self._workers.tell(go)
        self._pump(go.start)
        if go.measured > go.start:
            progress.on_phase(Phase.WARM_UP)
        self._pump(go.measured)
        self._gathering.server_begins()
        progress.on_phase(Phase.HOLD)
        for drop, back in go.storms:
            self._pump(drop)
            progress.on_phase(Phase.STORM)
            self._pump(back + (back - drop))
            progress.on_phase(Phase.HOLD)
        self._pump(go.end)
        progress.on_phase(Phase.DRAIN)
        self._drain(go)
        connecting = max(each.until for each in self._ready) - min(each.since for each in self._ready)
        return Outcome(self._gathering, connecting, self._start, go, time.monotonic_ns())

    def _setups(self) -> list[Setup]:
        scenario, plan = self._scenario, self._plan
        length = scenario.ramp + scenario.warm_up + scenario.hold
        run_id = os.urandom(4).hex()
        return [
            Setup(
                run_id=run_id,
                urls=list(self._job.urls),
                start=self._start,
                ramp=_ns(scenario.ramp),
                interval=_ns(max(1.0, -(-length // _LONGEST_SERIES))),
                rooms=[plan.rooms[room] for room in sorted({each.room for each in connections})],
                connections=list(connections),
                send_period=_ns(plan.publishers / scenario.rate) if scenario.rate else 0,
                size=scenario.size,
                slow_bytes_per_second=scenario.slow_bytes_per_second,
                typing_period=_ns(scenario.typing_period),
                reconnect_period=_ns(len(plan.workers) / scenario.reconnects_per_second)
                if scenario.reconnects_per_second
                else 0,
                connect_timeout=_ns(CONNECT_TIMEOUT),
            )
            for connections in plan.workers
        ]

    def _traffic(self) -> Go:
        start = time.monotonic_ns() + _ns(_START_DELAY)
        measured = start + _ns(self._scenario.warm_up)
        storms = [(measured + _ns(drop), measured + _ns(back)) for drop, back in self._scenario.storm_times]
        return Go(start, measured, measured + _ns(self._scenario.hold), storms)

    def _drain(self, go: Go) -> None:
        """First every send gets its answer, then every subscriber what was answered."""
        deadline = go.end + _ns(self._scenario.drain)
        self._pump(deadline, lambda: self._settled == len(self._workers))
        self._workers.tell(Finish(self._highest, deadline))
        last = max(deadline, time.monotonic_ns()) + _ns(_END_PATIENCE)
        if not self._pump(last, lambda: len(self._gathering.finals) == len(self._workers)):
            raise WorkerError("a worker does not come to its end")

    def _pump(self, until: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Take the workers' answers up to a moment, or until `done`; says which."""
        for worker, answer in self._workers.answers(until / 1e9):
            self._take(worker, answer)
            if done():
                return True
        return done()

    def _take(self, worker: int, answer: Answer) -> None:
        match answer:
            case Ready():
                self._ready.append(answer)
            case Report():
                interval = self._gathering.add(worker, answer)
                if interval is not None:
                    self._progress.on_interval(interval)
            case Settled(highest):
                self._settled += 1
                for room, seq in highest.items():
                    self._highest[room] = max(seq, self._highest.get(room, 0))
            case FinalAnswer():
                self._gathering.finals.append(answer)
                self._workers.forget(worker)
            case _:
                raise WorkerError(f"worker {worker} said {answer!r}")


def _ns(seconds: float) -> int:
    """Rounded up, so that no more periods fit into a time than do."""
    return math.ceil(seconds * 1e9)
