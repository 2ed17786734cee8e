"""The sends of a worker: messages by the clock or by what is in flight, and typing by the clock."""

import time
from collections.abc import Callable, Iterable

from chatload.messages import Setup
from chatload.worker.client_frames import typing_frame
from chatload.worker.connection import Connection
from chatload.worker.pacing import FOREVER, OpenLoop
from chatload.worker.publisher import Publisher
from chatload.worker.server_frames import Receipted, Refused
from chatload.worker.tally import Tally


class Traffic:
    """All publishers and typists of one worker. Nothing is sent before `begin` and after its end."""

    def __init__(self, setup: Setup, connections: Iterable[Connection], tally: Tally) -> None:
        self.highest: dict[int, int] = {}
        """For each room the highest number that a publisher was told."""
        self.next = FOREVER
        """When `run` is to be called; `FOREVER` when the clock asks for nothing more."""
        self.follows = False
        """A closed loop waits for deliveries: `run` is to be called after each batch of reads too."""
        self._setup = setup
        self._tally = tally
        self._end = 0
        self._publishers: dict[int, Publisher] = {}
        self._typists: list[Connection] = []
        for connection in connections:
            if connection.plan.phase is not None:
                publisher = Publisher(connection, tally, setup.run_id, setup.size, self._settled)
                self._publishers[connection.plan.index] = publisher
            if connection.plan.typing_phase is not None:
                self._typists.append(connection)
        self._by_phase = list(self._publishers.values())
        self._in_flight: list[tuple[Publisher, int]] = []
        self._clocks: list[tuple[OpenLoop, Callable[[int, int], None]]] = []

    def begin(self, start: int, end: int) -> None:
        """The clocks run from `start`, which is now."""
        self._end = end
        if self._setup.send_period:
            phases = [publisher.connection.plan.phase or 0.0 for publisher in self._by_phase]
            self._clocks.append((OpenLoop(start, end, self._setup.send_period, phases), self._send))
        else:
            for publisher in self._by_phase:
                for _ in range(publisher.connection.plan.in_flight):
                    publisher.send(now := time.monotonic_ns(), now)
        if self._typists:
            period = self._setup.typing_period
            phases = [connection.plan.typing_phase or 0.0 for connection in self._typists]
            self._clocks.append((OpenLoop(start, end, period, phases), self._start_typing))
            self._clocks.append(
                (
                    OpenLoop(start + period // 2, end, period, phases),
                    lambda source, _: self._type(self._typists[source], starts=False),
                )
            )
        self.next = start

    @property
    def outstanding(self) -> int:
        return sum(len(publisher) for publisher in self._by_phase)

    @property
    def late(self) -> int:
        return max((publisher.late for publisher in self._by_phase), default=0)

    def run(self, now: int) -> None:
        """Send what is due, and in a closed loop what follows what all have got."""
        for clock, send in self._clocks:
            while (event := clock.take(now)) is not None:
                send(*event)
        if self._in_flight:
            self._follow(now)
            self.follows = bool(self._in_flight)
        self.next = min((clock.due for clock, _ in self._clocks), default=FOREVER)

    def connection_ready(self, connection: Connection) -> None:
        publisher = self._publishers.get(connection.plan.index)
        if publisher is not None:
            publisher.send_again()

    def receipted(self, connection: Connection, receipt: Receipted, now: int) -> None:
        publisher = self._publishers.get(connection.plan.index)
        if publisher is None or not receipt.receipt.isdigit():
            self._tally.errors["UNEXPECTED_RECEIPT"] += 1
        else:
            publisher.acknowledged(receipt, now)

    def refused(self, connection: Connection, refusal: Refused) -> None:
        publisher = self._publishers.get(connection.plan.index)
        self._tally.errors[refusal.code] += 1
        if publisher is not None and refusal.receipt.isdigit():
            publisher.refused(refusal.receipt)

    def _settled(self, index: int, seq: int) -> None:
        publisher = self._publishers[index]
        room = publisher.connection.plan.room
        self.highest[room] = max(seq, self.highest.get(room, 0))
        if not self._setup.send_period:
            self._in_flight.append((publisher, seq))
            self.follows = True

    def _follow(self, now: int) -> None:
        waiting: list[tuple[Publisher, int]] = []
        for publisher, seq in self._in_flight:
            if now >= self._end:
                continue
            if seq and not publisher.connection.room.complete(seq):
                waiting.append((publisher, seq))
                continue
            publisher.send(moment := time.monotonic_ns(), moment)
        self._in_flight = waiting

    def _send(self, source: int, due: int) -> None:
        self._by_phase[source].send(due, time.monotonic_ns())

    def _start_typing(self, source: int, due: int) -> None:
        self._type(self._typists[source], starts=True)
        if due >= self._tally.measured_from:
            self._tally.counts["typing_sent"] += 1

    def _type(self, connection: Connection, *, starts: bool) -> None:
        if connection.ready:
            connection.write(typing_frame(connection.room.plan.conversation_id, starts=starts))
