"""The result of a run, and what there is to say about it in words."""

from collections.abc import Sequence
from typing import Final

from chatload.hardware import this_machine
from chatload.job import Job, Outcome
from chatload.plan import Plan
from chatload.result import SCHEMA_VERSION, Faults, Result
from chatload.scenario import parameters_of
from chatload.worker.endpoint import Endpoint

SATURATED: Final = 0.9
"""Cores; a worker that uses more may itself be what limits."""
_LATE: Final = 10.0
"""Milliseconds by which a send may miss its time before it is said."""
_JUDGED: Final = 8
"""Samples of the server's memory from which a growth can be told."""


def make_result(outcome: Outcome, job: Job, plan: Plan, endpoints: Sequence[Endpoint], started_at: str) -> Result:
    gathering, scenario = outcome.gathering, job.scenario
    finals = gathering.finals
    busiest = max(gathering.worker_cpu.values(), default=0.0) / scenario.hold
    late_ms = max((each.late_sends for each in finals), default=0) / 1e6
    server_cpu = None
    if len(gathering.hold_cpu) > 1:
        server_cpu = (gathering.hold_cpu[-1].cpu - gathering.hold_cpu[0].cpu) / scenario.hold
    notes = [*job.notes, *plan.notes]
    if busiest > SATURATED:
        notes.append(
            f"the meter was saturated: one of its processes used {busiest:.0%} of a core, so that the latencies and "
            "rates may be its own limits; give it more --processes, cores of its own, or less to do"
        )
    if late_ms > _LATE:
        notes.append(f"a send left {late_ms:.0f} ms after its time; latencies count from that time")
    if server_cpu is None:
        notes.append("the server's CPU and memory are not known: name its --server-pid or its --metrics-url")
    truncated = sum(each.truncated for each in finals)
    if truncated:
        notes.append(f"{truncated} messages were cut from replays, as the server said (history-truncated)")
    deferred = gathering.counts["deferred"]
    if deferred:
        notes.append(
            f"{deferred} times the server did not let a connection in but asked it to come back (503, Retry-After); "
            "connecting counts from the first attempt"
        )
    errors = dict(gathering.errors)
    if not gathering.held["sent"]:
        errors["NOTHING_SENT"] = 1
    _judge_memory(outcome, job, errors, notes)
    hardware = this_machine(endpoints, job.probe.source)
    if hardware.same_host:
        notes.append(f"{'server' if len(endpoints) == 1 else 'servers'} and meter share {hardware.cores} cores")
    counts = {
        **gathering.counts,
        "connections": plan.connections,
        "conversations": len(plan.rooms),
        "publishers": plan.publishers,
        "truncated": truncated,
        "deferred": deferred,
        "incomplete": gathering.counts["incomplete"] + gathering.incomplete,
    }
    return Result(
        schema_version=SCHEMA_VERSION,
        scenario=scenario.kind,
        url=", ".join(job.urls),
        started_at=started_at,
        seconds=(outcome.ended_at - outcome.setup_start) / 1e9,
        parameters={**parameters_of(scenario), "processes": len(plan.workers)},
        latencies=gathering.latencies,
        rates=_rates(outcome, job, plan),
        counts=counts,
        faults=Faults(
            lost=sum(each.lost for each in finals),
            doubled=sum(each.doubled for each in finals),
            out_of_order=sum(each.out_of_order for each in finals),
            unacknowledged=sum(each.unacknowledged for each in finals),
            errors=errors,
        ),
        intervals=gathering.intervals,
        server_cpu=server_cpu,
        server_rss=gathering.hold_cpu[-1].rss if gathering.hold_cpu else None,
        meter_cpu=sum(gathering.worker_cpu.values()) / scenario.hold,
        meter_processes=len(plan.workers),
        meter_saturated=busiest > SATURATED,
        notes=notes,
        hardware=hardware,
    )


def _rates(outcome: Outcome, job: Job, plan: Plan) -> dict[str, float]:
    held, hold, go = outcome.gathering.held, job.scenario.hold, outcome.go
    rates = {
        "deliveries": held["delivered"] / hold,
        "sends": held["sent"] / hold,
        "connects": plan.connections / max(1e-9, outcome.connecting / 1e9),
    }
    last_resume = max((each.last_resume for each in outcome.gathering.finals), default=0)
    if go.storms and last_resume > go.storms[-1][1]:
        rates["resumes"] = sum(plan.listeners.values()) / ((last_resume - go.storms[-1][1]) / 1e9)
    return rates


def _judge_memory(outcome: Outcome, job: Job, errors: dict[str, int], notes: list[str]) -> None:
    allowed = job.scenario.memory_growth_allowed
    if allowed is None:
        return
    samples = [usage.rss for usage in outcome.gathering.hold_cpu]
    if len(samples) < _JUDGED:
        notes.append("too few samples of the server's memory to judge its growth")
        return
    quarter = len(samples) // 4
    first, last = _mean(samples[:quarter]), _mean(samples[-quarter:])
    growth = last / first - 1
    notes.append(f"the server's memory went from {first / 2**20:.0f} to {last / 2**20:.0f} MiB ({growth:+.1%})")
    if growth > allowed:
        errors["MEMORY_GROWTH"] = 1


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
