"""How fast new WebSockets are let in: a storm of connects leaves most of the CPU to those who are connected."""

import random
from typing import Final

import structlog
import trio

from chatcore.errors import ChatError, unavailable

SOONEST: Final = 1.0
LATEST: Final = 60.0
"""Seconds between which those who are refused are asked to come back."""
DRAINING_LATEST: Final = 5.0
_LONGEST_QUEUE: Final = (LATEST - SOONEST) / 1.5
REPORT_SECONDS: Final = 10.0
"""Refusals are logged no more often than this."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_random: Final = random.SystemRandom()


def draining() -> ChatError:
    """Of a server that ends: others take the connection, or this one's successor does."""
    return unavailable("This server restarts", retry_after=_random.uniform(SOONEST, DRAINING_LATEST))


class Admission:
    """Lets `burst` in at once and `rate` a second from then on (a token bucket).

    Who is refused is given a time to come back. Those times are spread over as long as all who were refused lately
    take at `rate`, half of each drawn at random, so that the refused come back about as fast as they can be let in.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._outside = 0.0
        """Those who were refused and have not been let in, if each came back when it was told to."""
        self._at = trio.current_time()
        self._reported_at = -REPORT_SECONDS
        self._reported = 0
        self.refused = 0

    def try_enter(self) -> float | None:
        """None for who is let in, else the seconds after which to try again."""
        now = trio.current_time()
        earned = (now - self._at) * self._rate
        self._at = now
        self._tokens = min(self._burst, self._tokens + earned)
        self._outside = max(0.0, self._outside - earned)
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        self.refused += 1
        self._outside = min(self._outside + 1, _LONGEST_QUEUE * self._rate)
        self._report(now)
        return SOONEST + self._outside / self._rate * _random.uniform(0.5, 1.5)

    def _report(self, now: float) -> None:
        if now - self._reported_at >= REPORT_SECONDS:
            _log.warning("connects are refused: too many at once", refused=self.refused - self._reported)
            self._reported_at = now
            self._reported = self.refused
