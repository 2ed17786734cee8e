"""The clocks of one connection: heart-beats, pings, the wait for CONNECT, and the token's end."""

from math import inf

import trio

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.timer_wheel import Timer
from chathttp.errors import CLOSE_OVERLOADED
from chathttp.session.link import Link
from chathttp.session.services import SessionServices
from chathttp.stomp.heartbeat import HeartbeatIntervals


class Liveness:
    """Sends heart-beats as agreed and closes a connection that shows no sign of life for twice its interval.

    Where the client promised no heart-beats the server pings it (RFC 6455 section 5.5.2) instead. All has one timer,
    for what is due next.
    """

    __slots__ = (
        "_beat_at",
        "_beat_every",
        "_connected",
        "_end_at",
        "_link",
        "_look_at",
        "_pings",
        "_services",
        "_silence_allowed",
        "_timer",
    )

    def __init__(self, services: SessionServices, link: Link) -> None:
        self._services = services
        self._link = link
        self._timer: Timer | None = None
        self._connected = False
        self._pings = False
        self._beat_every = 0.0
        self._beat_at = inf
        self._silence_allowed = inf
        self._look_at = inf
        """When silence is looked for, and a ping sent."""
        self._end_at = inf

    def await_connect(self) -> None:
        self._end_at = trio.current_time() + self._services.policy.connect_timeout
        self._plan()

    def connected(self, intervals: HeartbeatIntervals, expires_at: float) -> None:
        """`expires_at` is the token's end, in seconds since 1970."""
        now = trio.current_time()
        self._connected = True
        if intervals.send_ms:
            self._beat_every = intervals.send_ms / 1000
            self._beat_at = now + self._beat_every
        if intervals.expect_ms:
            self._silence_allowed = 2 * intervals.expect_ms / 1000
            self._look_at = now + self._silence_allowed
        else:
            self._pings = True
            self._silence_allowed = self._services.policy.ping_timeout
            self._look_at = now + self._services.policy.ping_interval
        self.expires_at(expires_at)

    def expires_at(self, wall_time: float) -> None:
        """A newer token's end, in seconds since 1970."""
        self._end_at = trio.current_time() + max(0.0, wall_time - self._services.now())
        self._plan()

    @property
    def terms(self) -> tuple[str, float | None]:
        """What keeps the connection alive, and how many seconds of silence end it."""
        if not self._connected:
            return "nothing before CONNECT", None
        return ("pings" if self._pings else "heart-beats"), self._silence_allowed

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        self.stop()
        due = min(self._beat_at, self._look_at, self._end_at)
        self._timer = self._services.timers.schedule(self._do_what_is_due, due)

    def _do_what_is_due(self) -> None:
        now = trio.current_time()
        if now >= self._end_at:
            self._link.end(
                ChatError(ErrorCode.TOKEN_EXPIRED, "The access token has expired")
                if self._connected
                else ChatError(ErrorCode.UNAUTHORIZED, "No CONNECT came in time")
            )
            return
        if now >= self._look_at and not self._look(now):
            return
        if now >= self._beat_at:
            self._link.write(b"\n")
            self._beat_at = now + self._beat_every
        self._plan()

    def _look(self, now: float) -> bool:
        """Whether there was a sign of life in time; if not the connection is closed."""
        last = self._link.transport.last_received
        if now - last >= self._silence_allowed:
            self._link.transport.close(CLOSE_OVERLOADED, "no heart-beat")
            return False
        if self._pings:
            self._link.transport.ping()
            self._look_at = now + self._services.policy.ping_interval
        else:
            self._look_at = last + self._silence_allowed
        return True
