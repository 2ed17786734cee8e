"""Heart-beat negotiation (STOMP 1.2, "Heart-beating"). All numbers are milliseconds; 0 is never."""

from typing import NamedTuple

from chathttp.stomp.errors import StompSyntaxError, quoted

SERVER_OFFER = (10_000, 10_000)
MAX_INTERVAL_MS = 300_000
_MAX_DIGITS = 10


class HeartbeatIntervals(NamedTuple):
    """What one end does after the negotiation: it sends each `send_ms` and expects octets each `expect_ms`."""

    send_ms: int
    expect_ms: int


def parse(header: str | None) -> tuple[int, int]:
    """A `heart-beat` header as two numbers; a missing one is `(0, 0)`. Raises `StompSyntaxError`."""
    if header is None:
        return 0, 0
    words = [word.strip() for word in header.split(",")]
    if len(words) != 2 or not all(word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS for word in words):
        raise StompSyntaxError(f"heart-beat is two numbers of milliseconds, not {quoted(header)}")
    return int(words[0]), int(words[1])


def negotiate(peer: str | None, own: tuple[int, int] = SERVER_OFFER) -> HeartbeatIntervals:
    """The intervals for the end that offers `own`, given the other end's header. Raises `StompSyntaxError`.

    Above `MAX_INTERVAL_MS` a promise to send is worth nothing as a sign of life and counts as 0, and a
    wish to receive is met more often than asked for.
    """
    peer_sends, peer_wants = parse(peer)
    own_sends, own_wants = own
    send = min(max(own_sends, peer_wants), MAX_INTERVAL_MS) if own_sends and peer_wants else 0
    expect = max(own_wants, peer_sends) if own_wants and peer_sends else 0
    return HeartbeatIntervals(send, expect if expect <= MAX_INTERVAL_MS else 0)
