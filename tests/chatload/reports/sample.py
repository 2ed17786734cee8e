"""A run to report on."""

import math
from typing import Final

from chatload.result import SCHEMA_VERSION, Faults, Hardware, Interval, Latency, Result

HARDWARE: Final = Hardware(
    cpu="AMD EPYC 7B13",
    cores=2,
    memory=8 << 30,
    system="Linux 6.1",
    python="CPython 3.11.2",
    server="pid 4242",
    same_host=True,
)


def latency(middle: float, *, tail: float = 8.0, count: int = 100_000) -> Latency:
    """Log-normal around `middle` milliseconds, in 1,000 buckets up to `tail` times it."""
    bounds = [middle / 3 * (3 * tail) ** (step / 999) for step in range(1000)]
    weights: list[float] = [math.exp(-((math.log(bound / middle) / 0.5) ** 2)) for bound in bounds]
    buckets = [(bound, round(count * weight / sum(weights))) for bound, weight in zip(bounds, weights, strict=True)]
    buckets = [(bound, number) for bound, number in buckets if number] + [(middle * tail, 1)]
    total = sum(number for _, number in buckets)

    def at(share: float) -> float:
        seen = 0
        for bound, number in buckets:
            seen += number
            if seen >= share * total:
                return bound
        return bounds[-1]

    return Latency(
        count=total,
        mean=middle,
        p50=at(0.5),
        p90=at(0.9),
        p99=at(0.99),
        p999=at(0.999),
        max=middle * tail,
        buckets=buckets,
    )


def interval(
    at: float = 1.0, *, measured: bool = True, errors: int = 0, p99: float | None = 9.5, meter_cpu: float = 0.42
) -> Interval:
    return Interval(
        at=at,
        measured=measured,
        connected=1000,
        sent=98,
        acknowledged=97,
        delivered=98_000,
        errors=errors,
        delivery_p50=None if p99 is None else p99 / 3,
        delivery_p99=p99,
        delivery_max=None if p99 is None else p99 * 2,
        server_cpu=0.87,
        server_rss=96 << 20,
        meter_cpu=meter_cpu,
    )


def sample_result(
    *,
    scenario: str = "fanout",
    url: str = "http://127.0.0.1:8080",
    started_at: str = "2026-03-01T12:00:00Z",
    parameters: dict[str, str | int | float | bool] | None = None,
    latencies: dict[str, Latency] | None = None,
    rates: dict[str, float] | None = None,
    faults: Faults | None = None,
    server_cpu: float | None = 0.87,
    server_rss: int | None = 96 << 20,
    meter_saturated: bool = False,
    notes: tuple[str, ...] = (),
    hardware: Hardware = HARDWARE,
) -> Result:
    return Result(
        schema_version=SCHEMA_VERSION,
        scenario=scenario,
        url=url,
        started_at=started_at,
        seconds=60.0,
        parameters=parameters or {"subscribers": 1000, "publishers": 4, "rate": 98.5, "open_loop": True},
        latencies=latencies
        if latencies is not None
        else {"delivery": latency(3.0), "completion": latency(7.5, count=5880), "receipt": latency(1.4, count=5880)},
        rates=rates if rates is not None else {"deliveries": 98_500.0, "sends": 98.5, "connects": 2210.0},
        counts={"deliveries": 5_910_000, "sends": 5910},
        faults=faults or Faults(),
        intervals=[
            interval(
                at=float(second), measured=second > 8, p99=9.5 + 4 * math.sin(second / 5) + (20 if second == 40 else 0)
            )
            for second in range(4, 70)
        ],
        server_cpu=server_cpu,
        server_rss=server_rss,
        meter_cpu=0.62,
        meter_processes=1,
        meter_saturated=meter_saturated,
        notes=notes,
        hardware=hardware,
    )
