"""The worker's loop: send what is due, read what is there, report each interval."""

import gc
import select
import time
from typing import Final, cast

from chatload.channel import Channel, ChannelClosed
from chatload.messages import Answer, Command, Failed, Finish, Go, Ready, Report, Settled, Setup
from chatload.messages import Final as FinalAnswer
from chatload.worker.calendar import Calendar
from chatload.worker.connection import Connection
from chatload.worker.endpoint import Endpoint, EndpointError
from chatload.worker.lives import Lives
from chatload.worker.receiving import Receiver
from chatload.worker.room import Room
from chatload.worker.server_frames import Receipted, Refused
from chatload.worker.tally import Tally
from chatload.worker.timers import Timers, ready_events
from chatload.worker.traffic import Traffic

BATCH: Final = 128
"""Events handled between two looks at the clock: a send is late by at most these reads."""
GRACE: Final = 200_000_000
"""Nanoseconds to wait at the end for what must not come any more: repeats."""
_LOOK: Final = 20_000_000
_GC_THRESHOLD: Final = 100_000
"""Allocations between collections: the default would stop the reads often, for next to nothing."""


class Worker:
    """Ends when the control process says so or is gone. Implements `Listener`."""

    def __init__(self, channel: "Channel[Command, Answer]", setup: Setup) -> None:
        """Raises `EndpointError`."""
        self._channel = channel
        self._setup = setup
        self._tally = Tally()
        self._timers = Timers()
        self._rooms = {plan.index: Room(plan, setup.run_id, setup.typing_period) for plan in setup.rooms}
        endpoints = [Endpoint.of(url) for url in setup.urls]
        self._lives = Lives(setup, endpoints, self._timers, self._tally, self._rooms)
        self._traffic = Traffic(setup, self._lives.all, self._tally)
        self._receiver = Receiver(self._lives.by_fd, self._tally, self)
        self._lives.on_received = self._receiver.received
        self._lives.on_all_ready = lambda since, until: channel.send(Ready(since, until))
        self._lives.on_ready = self._traffic.connection_ready
        self._lives.on_failed = self._fail
        self._go: Go | None = None
        self._settled = False
        self._calendar = Calendar(setup.start, setup.interval)
        self._cpu = time.process_time()
        self._running = True

    def run(self) -> None:
        """Raises `ChannelClosed` when the control process is gone."""
        for connection in self._lives.all:
            if connection.plan.listens and not connection.plan.slow:
                connection.room.listeners += 1
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        epoll, timers, traffic, calendar = self._lives.epoll, self._timers, self._traffic, self._calendar
        epoll.register(self._channel.fileno(), select.EPOLLIN)
        self._lives.begin()
        while self._running:
            now = time.monotonic_ns()
            if now >= calendar.next:
                self._report()
                calendar.advance()
            if now >= traffic.next or traffic.follows:
                traffic.run(now)
            if now >= timers.next:
                timers.run(now)
            events = ready_events(epoll, BATCH, min(timers.next, calendar.next, traffic.next) - now)
            self._receiver.handle(events)

    def foreign(self, fd: int) -> None:
        # A descriptor that was closed within the same batch of events is nobody's either.
        if fd == self._channel.fileno():
            self._command(self._channel.receive())

    def subscribed(self, connection: Connection) -> None:
        self._lives.subscribed(connection)

    def resumed(self, connection: Connection, at: int) -> None:
        self._lives.resumed(connection, at)

    def receipted(self, connection: Connection, receipt: Receipted, now: int) -> None:
        self._traffic.receipted(connection, receipt, now)

    def refused(self, connection: Connection, refusal: Refused) -> None:
        if connection.ready:
            self._traffic.refused(connection, refusal)
        elif self._go is None:
            self._fail(f"connection {connection.plan.index} was refused: {refusal.code}")
        else:
            self._tally.errors[refusal.code] += 1

    def _command(self, command: Command) -> None:
        match command:
            case Go():
                self._begin(command)
            case Finish():
                self._lives.drain()
                self._await_rest(command, quiet_since=None)
            case Setup():
                raise ChannelClosed

    def _begin(self, go: Go) -> None:
        self._go = go
        self._calendar.begin(go)
        self._tally.measured_from = go.measured
        self._timers.at(go.start, lambda: self._traffic.begin(go.start, go.end))
        for room in self._rooms.values():
            room.typing_starts(go.start)
        for drop, back in go.storms:
            self._timers.at(drop, self._lives.drop_all)
            self._timers.at(back, self._lives.return_all)
        if self._setup.reconnect_period:
            self._timers.at(go.start + self._setup.reconnect_period, self._reconnect)
        self._timers.at(go.end, self._settle)

    def _reconnect(self) -> None:
        assert self._go is not None
        now = time.monotonic_ns()
        if now < self._go.end:
            self._lives.reconnect_next()
            self._timers.at(now + self._setup.reconnect_period, self._reconnect)

    def _settle(self) -> None:
        if self._settled:
            return
        if self._traffic.outstanding:
            self._timers.at(time.monotonic_ns() + _LOOK, self._settle)
            return
        self._settled = True
        self._channel.send(Settled(self._traffic.highest))

    def _await_rest(self, finish: Finish, quiet_since: int | None) -> None:
        now = time.monotonic_ns()
        highest = finish.highest
        missing = self._traffic.outstanding or any(
            each.plan.listens and (not each.ready or each.order.lost(highest.get(each.plan.room, 0)))
            for each in self._lives.all
        )
        quiet_since = None if missing else (quiet_since or now)
        if now >= finish.deadline or (quiet_since is not None and now - quiet_since >= GRACE):
            self._end(finish)
        else:
            self._timers.at(now + _LOOK, lambda: self._await_rest(finish, quiet_since))

    def _end(self, finish: Finish) -> None:
        for connection in self._lives.all:
            if connection.resuming and connection.ready:
                self._receiver.finish_resume(connection)
        listeners = [each for each in self._lives.all if each.plan.listens]
        self._report()
        self._channel.send(
            FinalAnswer(
                lost=sum(each.order.lost(finish.highest.get(each.plan.room, 0)) for each in listeners),
                doubled=sum(each.order.doubled for each in listeners),
                out_of_order=sum(each.order.out_of_order for each in listeners),
                unacknowledged=self._traffic.outstanding,
                truncated=sum(each.order.truncated for each in listeners),
                late_sends=self._traffic.late,
                last_resume=self._lives.last_resume,
            )
        )
        self._running = False

    def _report(self) -> None:
        now = time.monotonic_ns()
        tally = self._tally
        for room in self._rooms.values():
            room.report(tally, now)
            if room.wrong:
                tally.errors["WRONG_MESSAGE"] += room.wrong
                room.wrong = 0
        cpu = time.process_time()
        self._channel.send(
            Report(
                part=self._calendar.part,
                number=self._calendar.number,
                until=min(now, self._calendar.next),
                connected=self._lives.ready_count,
                sent=tally.sent,
                acknowledged=tally.acknowledged,
                delivered=tally.delivered,
                counts=dict(tally.counts),
                errors=dict(tally.errors),
                latencies=tally.take_latencies(),
                unmeasured=dict(tally.take_unmeasured()),
                seen=tally.seen,
                cpu=cpu - self._cpu,
            )
        )
        self._cpu = cpu
        tally.reset()

    def _fail(self, reason: str) -> None:
        self._channel.send(Failed(reason))
        self._running = False


def work(channel: "Channel[Command, Answer]") -> None:
    """A worker's whole life."""
    try:
        setup = cast("Setup", channel.receive())
        Worker(channel, setup).run()
    except EndpointError as error:
        channel.send(Failed(str(error)))
    except ChannelClosed:
        return
