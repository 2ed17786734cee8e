"""How a run goes, a line an interval: for logs, and where there is no terminal."""

from collections import deque
from typing import Final, TextIO

from chatload.reports.figures import Unit, interval_lengths, meter_near_its_limit, shown
from chatload.result import Interval

_REMEMBERED: Final = 5


class PlainView:
    """Implements `Progress`. Every line is written out at once. `processes` are the meter's."""

    def __init__(self, stream: TextIO, *, processes: int = 1) -> None:
        self._stream = stream
        self._processes = processes
        self._phase = ""
        self._recent: deque[Interval] = deque(maxlen=_REMEMBERED)

    def on_phase(self, name: str) -> None:
        self._phase = name
        print(f"{name} begins", file=self._stream, flush=True)

    def on_interval(self, interval: Interval) -> None:
        self._recent.append(interval)
        seconds = interval_lengths(list(self._recent))[-1]
        limit = " (near its limit)" if meter_near_its_limit(interval.meter_cpu, self._processes) else ""
        parts = [
            f"{interval.at:4.0f} s {self._phase}",
            f"connected {interval.connected:,}",
            f"sent {shown(interval.sent / seconds, Unit.PER_SECOND)}",
            f"acknowledged {shown(interval.acknowledged / seconds, Unit.PER_SECOND)}",
            f"delivered {shown(interval.delivered / seconds, Unit.PER_SECOND)}",
            f"p50 {shown(interval.delivery_p50, Unit.MILLISECONDS)}",
            f"p99 {shown(interval.delivery_p99, Unit.MILLISECONDS)}",
            f"errors {interval.errors:,}",
            f"server {shown(interval.server_cpu, Unit.CORES)} {shown(interval.server_rss, Unit.BYTES)}",
            f"meter {shown(interval.meter_cpu, Unit.CORES)}{limit}",
        ]
        print("  ".join(parts), file=self._stream, flush=True)
