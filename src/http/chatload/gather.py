"""The workers' reports, put together."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from attrs import define, field

from chatload.latencies import LatencyHistogram, fold
from chatload.messages import Final as FinalAnswer
from chatload.messages import Part, Report, Seen
from chatload.result import Interval, Latency
from chatload.server_probe import ServerProbe, Usage

_FORGOTTEN_AFTER: Final = 120_000_000_000
"""Nanoseconds after which a message that not all subscribers got is not waited for."""


@define
class _Merged:
    """What the workers say of one interval."""

    reports: int = 0
    connected: int = 0
    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    errors: int = 0
    cpu: float = 0.0
    deliveries: Counter[int] = field(factory=Counter[int])


@define
class _Progress:
    """How far a message has come."""

    due: int
    count: int = 0
    replayed: int = 0
    last: int = 0


class Gathering:
    """All that is known of a run. Moments are nanoseconds of CLOCK_MONOTONIC."""

    def __init__(self, start: int, listeners: Mapping[int, int], workers: int, probe: ServerProbe) -> None:
        """`listeners` has for each room its measured subscribers."""
        self.intervals: list[Interval] = []
        """Of the warm-up and the hold."""
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        """`sent` and `delivered` within the hold."""
        self.worker_cpu: dict[int, float] = {}
        """Seconds of CPU of each worker within the hold."""
        self.hold_cpu: list[Usage] = []
        """The server's, at each end of an interval of the hold and at its beginning."""
        self.finals: list[FinalAnswer] = []
        self.measured_from = 0
        self._start = start
        self._listeners = listeners
        self._workers = workers
        self._probe = probe
        self._histograms: dict[str, LatencyHistogram] = {}
        self._open: dict[tuple[Part, int], _Merged] = {}
        self._messages: dict[tuple[int, int], _Progress] = {}
        self._usage = probe.read()
        self._usage_at = time.monotonic()

    @property
    def latencies(self) -> dict[str, Latency]:
        return {kind: histogram.latency() for kind, histogram in self._histograms.items() if len(histogram)}

    @property
    def incomplete(self) -> int:
        """Messages that some measured subscribers have not got."""
        return len(self._messages)

    def add(self, worker: int, report: Report) -> Interval | None:
        """One report; the interval, when it was the last one of it."""
        self._count(worker, report)
        key = report.part, report.number
        merged = self._open.setdefault(key, _Merged())
        merged.reports += 1
        merged.connected += report.connected
        merged.sent += report.sent
        merged.acknowledged += report.acknowledged
        merged.delivered += report.delivered
        merged.errors += sum(report.errors.values())
        merged.cpu += report.cpu
        merged.deliveries.update(report.unmeasured)
        merged.deliveries.update(report.latencies.get("delivery", {}))
        if merged.reports < self._workers:
            return None
        del self._open[key]
        return self._close(report, merged)

    def server_begins(self) -> None:
        """The hold begins: the server's CPU counts from now."""
        usage = self._probe.read()
        if usage is not None:
            self.hold_cpu.append(usage)

    def _count(self, worker: int, report: Report) -> None:
        self.counts.update(report.counts)
        self.errors.update(report.errors)
        # A worker that is late in leaving CONNECT has deliveries in it already: others send as soon as they may.
        self.counts.update(sent=report.sent, acknowledged=report.acknowledged, delivered=report.delivered)
        if report.part is Part.HOLD:
            self.held.update(sent=report.sent, delivered=report.delivered)
            self.worker_cpu[worker] = self.worker_cpu.get(worker, 0.0) + report.cpu
        for kind, folded in report.latencies.items():
            self._histogram(kind).add(folded)
        completions = [done for seen in report.seen if (done := self._see(seen)) is not None]
        if completions:
            self._histogram("completion").add(fold(completions))

    def _see(self, seen: Seen) -> int | None:
        """The nanoseconds until the last subscriber had the message, when that is now known and to be measured."""
        key = seen.room, seen.seq
        message = self._messages.setdefault(key, _Progress(seen.intended))
        message.count += seen.count
        message.replayed += seen.replayed
        message.last = max(message.last, seen.last)
        if message.count < self._listeners.get(seen.room, 0):
            return None
        del self._messages[key]
        self.counts["completed"] += 1
        if message.replayed or message.due < self.measured_from:
            return None
        return message.last - message.due

    def _close(self, report: Report, merged: _Merged) -> Interval:
        now, usage = time.monotonic(), self._probe.read()
        cpu = None
        if usage is not None and self._usage is not None and now > self._usage_at:
            cpu = max(0.0, usage.cpu - self._usage.cpu) / (now - self._usage_at)
        length = max(1e-3, now - self._usage_at)
        self._usage, self._usage_at = usage, now
        histogram = LatencyHistogram()
        histogram.add(merged.deliveries)
        p50, p99, largest = histogram.milliseconds(50.0, 99.0, 100.0)
        interval = Interval(
            at=(report.until - self._start) / 1e9,
            measured=report.part is Part.HOLD,
            connected=merged.connected,
            sent=merged.sent,
            acknowledged=merged.acknowledged,
            delivered=merged.delivered,
            errors=merged.errors,
            delivery_p50=p50,
            delivery_p99=p99,
            delivery_max=largest,
            server_cpu=cpu,
            server_rss=None if usage is None else usage.rss,
            meter_cpu=merged.cpu / length,
        )
        if report.part in (Part.WARM_UP, Part.HOLD):
            self.intervals.append(interval)
        if report.part is Part.HOLD and usage is not None:
            self.hold_cpu.append(usage)
        self._forget(report.until)
        return interval

    def _histogram(self, kind: str) -> LatencyHistogram:
        if kind not in self._histograms:
            self._histograms[kind] = LatencyHistogram()
        return self._histograms[kind]

    def _forget(self, now: int) -> None:
        """The oldest first: a message that is on its way long since is not waited for."""
        while self._messages:
            key, message = next(iter(self._messages.items()))
            if now - message.due < _FORGOTTEN_AFTER:
                return
            del self._messages[key]
            self.counts["incomplete"] += 1
