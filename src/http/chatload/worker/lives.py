"""The connections of a worker through their lives: opened over the ramp, dropped, lost, and resumed."""

import random
import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from chatload.messages import Setup
from chatload.worker.connection import LOST, Connection, Stage
from chatload.worker.endpoint import Endpoint
from chatload.worker.room import Room
from chatload.worker.tally import Tally
from chatload.worker.timers import Timers

MAY_NOT_RETURN: Final = frozenset({1002, 1008, 1009})
"""Close codes after which a client does not come back by itself."""
_EXPECTED_OF_SLOW: Final = frozenset({1013, LOST})
_CONNECTING_AT_ONCE: Final = 256
"""While nobody is ready yet; those that come back come all at once."""
_BACKOFF: Final = 0.25, 8.0
DEFERRED_AT_MOST: Final = 300.0
"""Seconds after its first attempt until which a connection may be asked to come back."""
_DEFERRAL_JITTER: Final = 1.0
"""Seconds. Retry-After has whole ones, at whose ends all would come together."""
_SLOW_TICK: Final = 100_000_000


class Lives:
    """Opens and reopens connections. `received` handles their bytes; `failed` ends the run before traffic began."""

    def __init__(
        self, setup: Setup, endpoints: Sequence[Endpoint], timers: Timers, tally: Tally, rooms: dict[int, Room]
    ) -> None:
        self.endpoints = endpoints
        self.epoll = select.epoll()
        self.by_fd: dict[int, Connection] = {}
        self.all = [Connection(self, plan, rooms[plan.room]) for plan in setup.connections]
        self.ready_count = 0
        self.on_received: Callable[[Connection, bytes, int], None]
        self.on_all_ready: Callable[[int, int], None]
        """Told when the first connection began to connect, and when the last was subscribed."""
        self.on_ready: Callable[[Connection], None]
        self.on_failed: Callable[[str], None]
        self.last_resume = 0
        """When the latest resume ended."""
        self.draining = False
        self._setup = setup
        self._timers = timers
        self._tally = tally
        self._waiting = deque(self.all)
        self._connecting: set[Connection] = set()
        self._attempts: dict[int, int] = {}
        self._deferred: dict[Connection, int] = {}
        """When each comes back."""
        self._begun = False
        self._first = 0
        self._rotation = deque(each for each in self.all if each.plan.listens and not each.plan.slow)

    def begin(self) -> None:
        """Open everything, evenly over the ramp."""
        step = self._setup.ramp // max(1, len(self.all))
        for number in range(len(self.all)):
            self._timers.at(self._setup.start + number * step, self._open_next)
        self._check_timeouts()
        if any(each.plan.slow for each in self.all):
            self._read_slowly()

    def received(self, connection: Connection, data: bytes, now: int) -> None:
        self.on_received(connection, data, now)

    def opened(self, connection: Connection, now: int) -> None:
        self._tally.latency("connect", now - connection.began)
        self._tally.counts["connects"] += 1

    def subscribed(self, connection: Connection) -> None:
        """Its subscriptions are in force."""
        connection.stage = Stage.READY
        self._connecting.discard(connection)
        self._attempts.pop(connection.plan.index, None)
        self.ready_count += 1
        if connection.slow and not self.draining:
            connection.pause_reading()
        connection.update_fast()
        self.on_ready(connection)
        if not self._begun:
            self._open_next()
            if self.ready_count == len(self.all):
                self._begun = True
                self.on_all_ready(self._first, time.monotonic_ns())

    def resumed(self, connection: Connection, at: int) -> None:
        self._tally.counts["resumes"] += 1
        if not connection.plan.slow:
            self._tally.latency("resume", at - connection.subscribed_at)
            self.last_resume = max(self.last_resume, at)

    def ended(self, connection: Connection, code: int, reason: str) -> None:
        self.by_fd.pop(connection.fd, None)
        self._connecting.discard(connection)
        if not self._begun:
            self.on_failed(f"connection {connection.plan.index} did not come to stand: {reason or code}")
            return
        self.ready_count = sum(each.ready for each in self.all)
        if connection.plan.slow and code in _EXPECTED_OF_SLOW:
            self._tally.counts["slow_closed"] += 1
        else:
            self._tally.errors[f"CLOSED_{code}"] += 1
        if code not in MAY_NOT_RETURN:
            attempt = self._attempts.get(connection.plan.index, 0)
            self._attempts[connection.plan.index] = attempt + 1
            pause = min(_BACKOFF[1], _BACKOFF[0] * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self._timers.at(time.monotonic_ns() + int(pause * 1e9), lambda: self._open(connection))

    def deferred(self, connection: Connection, seconds: int) -> None:
        now = time.monotonic_ns()
        back = now + int((seconds + random.uniform(0, _DEFERRAL_JITTER)) * 1e9)  # noqa: S311 - jitter
        if back - connection.began > DEFERRED_AT_MOST * 1e9:
            self.ended(connection, LOST, f"not let in within {DEFERRED_AT_MOST:g} seconds: come back in {seconds}")
            return
        self.by_fd.pop(connection.fd, None)
        self._connecting.discard(connection)
        self._tally.counts["deferred"] += 1
        self._deferred[connection] = back
        self._timers.at(back, lambda: self._come_back(connection, back))
        if not self._begun:
            self._open_next()

    def drop_all(self) -> None:
        """Every subscriber is gone at once; those that only send stay."""
        for connection in self.all:
            if connection.plan.listens:
                self._close(connection)

    def return_all(self) -> None:
        """And all come back."""
        for connection in self.all:
            if connection.plan.listens and connection.stage is Stage.CLOSED:
                self._open(connection)

    def reconnect_next(self) -> None:
        """One subscriber, in turn, drops and comes back."""
        if self._rotation and not self.draining:
            connection = self._rotation[0]
            self._rotation.rotate(-1)
            if connection.ready:
                self._close(connection)
                self._open(connection)

    def drain(self) -> None:
        """Slow consumers read what is left as fast as they can."""
        self.draining = True
        for connection in self.all:
            if connection.slow:
                connection.resume_reading()

    def _close(self, connection: Connection) -> None:
        if connection.ready:
            self.ready_count -= 1
        self._connecting.discard(connection)
        self._deferred.pop(connection, None)
        self.by_fd.pop(connection.fd, None)
        connection.close()

    def _open_next(self) -> None:
        now = time.monotonic_ns()
        elapsed = now - self._setup.start
        due = len(self.all) if elapsed >= self._setup.ramp else elapsed * len(self.all) // self._setup.ramp + 1
        while (
            self._waiting and len(self.all) - len(self._waiting) < due and len(self._connecting) < _CONNECTING_AT_ONCE
        ):
            self._open(self._waiting.popleft())

    def _open(self, connection: Connection) -> None:
        if connection.stage is not Stage.CLOSED:
            return
        connection.resuming = self._begun and connection.plan.listens
        now = time.monotonic_ns()
        self._first = self._first or now
        self._connecting.add(connection)
        connection.start(now)
        self._watch(connection)

    def _come_back(self, connection: Connection, at: int) -> None:
        # Who was dropped in the meantime comes back when that ends.
        if self._deferred.get(connection) == at:
            del self._deferred[connection]
            self._connecting.add(connection)
            connection.retry(time.monotonic_ns())
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        if connection.stage is not Stage.CLOSED:
            self.by_fd[connection.fd] = connection

    def _check_timeouts(self) -> None:
        now = time.monotonic_ns()
        for connection in list(self._connecting):
            if connection.stage is not Stage.CLOSED and now - connection.tried > self._setup.connect_timeout:
                connection.lose(LOST, "no subscription within the time for connecting")
        self._timers.at(now + 250_000_000, self._check_timeouts)

    def _read_slowly(self) -> None:
        share = max(1, self._setup.slow_bytes_per_second * _SLOW_TICK // 1_000_000_000)
        for connection in self.all:
            if connection.slow and connection.ready:
                connection.read_some(share)
        if not self.draining:
            self._timers.at(time.monotonic_ns() + _SLOW_TICK, self._read_slowly)
