"""What a run of the load tester found: the JSON result, and all that the reports are drawn from.

Times are seconds since the run's start, latencies milliseconds, sizes bytes, CPU in cores (1.0 is one core kept busy).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from attrs import frozen

SCHEMA_VERSION: Final = 1


class ResultError(Exception):
    """The file is no result of this version of the load tester."""


@frozen(kw_only=True)
class Latency:
    """One kind of latency over the measured part of the run, from an HDR histogram.

    `buckets` are `(upper bound, count)` pairs, ascending, of those that are not empty.
    """

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    buckets: Sequence[tuple[float, int]] = ()


@frozen(kw_only=True)
class Faults:
    """What must not happen. Any of them fails the run."""

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    unacknowledged: int = 0
    errors: Mapping[str, int] = {}
    """Refusals and closed connections that the scenario does not ask for, by code."""

    @property
    def total(self) -> int:
        return self.lost + self.doubled + self.out_of_order + self.unacknowledged + sum(self.errors.values())


@frozen(kw_only=True)
class Interval:
    """What happened within one interval (a second, unless the run is long) of the hold phase or the warm-up."""

    at: float
    measured: bool
    connected: int
    sent: int
    acknowledged: int
    delivered: int
    errors: int
    delivery_p50: float | None
    delivery_p99: float | None
    delivery_max: float | None
    server_cpu: float | None
    server_rss: int | None
    meter_cpu: float


@frozen(kw_only=True)
class Hardware:
    """Where the meter ran. `server` tells where the server's figures are from: a pid, a URL, or nothing."""

    cpu: str
    cores: int
    memory: int
    system: str
    python: str
    server: str
    same_host: bool


@frozen(kw_only=True)
class Result:
    """A whole run. `url` names all servers, with commas between, and `server_cpu` and `server_rss` are their sums.
    `rates` are per second: `deliveries`, `sends`, `connects`, `resumes`.

    `latencies` has `delivery` (intended send to receipt by a subscriber), `completion` (intended send until the last
    subscriber has it), `receipt` (intended send to RECEIPT), and where the scenario has them `connect` (TCP, WebSocket,
    CONNECTED), `resume` (SUBSCRIBE to the last missed message) and `typing`.
    """

    schema_version: int
    scenario: str
    url: str
    started_at: str
    seconds: float
    parameters: Mapping[str, str | int | float | bool]
    latencies: Mapping[str, Latency]
    rates: Mapping[str, float]
    counts: Mapping[str, int]
    faults: Faults
    intervals: Sequence[Interval]
    server_cpu: float | None
    server_rss: int | None
    meter_cpu: float
    meter_processes: int
    meter_saturated: bool
    notes: Sequence[str]
    hardware: Hardware

    @property
    def failed(self) -> bool:
        """Something was lost, doubled, out of order, unacknowledged or refused."""
        return self.faults.total > 0


def write_result(result: Result, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")


def read_result(path: Path) -> Result:
    """Raises `ResultError`."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise ResultError(f"{path}: {error}") from error
    if result.schema_version != SCHEMA_VERSION:
        raise ResultError(f"{path}: has schema version {result.schema_version}, this tester reads {SCHEMA_VERSION}")
    return result
