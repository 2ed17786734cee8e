"""The clocks of one connection: heart-beats, pings, the wait for CONNECT, and the token's end."""

from collections.abc import Callable

import trio

from chatcore.errors import ChatError, ErrorCode
from chathttp.edge.timer_wheel import Timer
from chathttp.errors import CLOSE_OVERLOADED
from chathttp.session.link import Link
from chathttp.session.services import SessionServices
from chathttp.stomp.heartbeat import HeartbeatIntervals


class Liveness:
    """Sends heart-beats as agreed and closes a connection that shows no sign of life for twice its interval.

    Where the client promised no heart-beats the server pings it (RFC 6455 section 5.5.2) instead.
    """

    def __init__(self, services: SessionServices, link: Link) -> None:
        self._services = services
        self._policy = services.policy
        self._link = link
        self._timers: dict[Callable[[], None], Timer] = {}
        self._send_every = 0.0
        self._silence_allowed = 0.0

    def await_connect(self) -> None:
        self._after(self._policy.connect_timeout, self._no_connect)

    def connected(self, intervals: HeartbeatIntervals) -> None:
        self._cancel(self._no_connect)
        self._send_every = intervals.send_ms / 1000
        if self._send_every:
            self._after(self._send_every, self._beat)
        if intervals.expect_ms:
            self._silence_allowed = 2 * intervals.expect_ms / 1000
            self._after(self._silence_allowed, self._check)
        else:
            self._silence_allowed = self._policy.ping_timeout
            self._after(self._policy.ping_interval, self._ping)

    def expires_at(self, wall_time: float) -> None:
        """The token's end, in seconds since 1970."""
        self._after(max(0.0, wall_time - self._services.now()), self._expired)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._cancel(action)
        self._timers[action] = self._services.timers.after(seconds, action)

    def _cancel(self, action: Callable[[], None]) -> None:
        timer = self._timers.pop(action, None)
        if timer is not None:
            timer.cancel()

    def _no_connect(self) -> None:
        self._link.end(ChatError(ErrorCode.UNAUTHORIZED, "No CONNECT came in time"))

    def _expired(self) -> None:
        self._link.end(ChatError(ErrorCode.TOKEN_EXPIRED, "The access token has expired"))

    def _beat(self) -> None:
        self._link.write(b"\n")
        self._after(self._send_every, self._beat)

    def _ping(self) -> None:
        if self._is_silent():
            return
        self._link.transport.ping()
        self._after(self._policy.ping_interval, self._ping)

    def _check(self) -> None:
        if not self._is_silent():
            silence = trio.current_time() - self._link.transport.last_received
            self._after(self._silence_allowed - silence, self._check)

    def _is_silent(self) -> bool:
        """Closes the connection if so."""
        silent = trio.current_time() - self._link.transport.last_received >= self._silence_allowed
        if silent:
            self._link.transport.close(CLOSE_OVERLOADED, "no heart-beat")
        return silent
