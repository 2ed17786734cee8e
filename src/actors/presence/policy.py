"""The intervals and limits of presence; seconds and counts."""

from attrs import frozen


@frozen
class PresencePolicy:
    lifetime: float = 6.0
    """How long a lease lasts without a beat; beats come three times as often."""
    grace: float = 1.0
    """How long a user stays after his last connection has ended: reconnecting is neither leaving nor coming."""
    gather: float = 0.05
    """How long what comes and goes is gathered, so that a crowd of connections costs one pass."""
    retry: float = 1.0
    """When a store that is away is asked again, and a conversation whose mailbox is full told again."""
    slice_size: int = 500
    """Users in one call of the store, and served between two checkpoints."""
    close_timeout: float = 2.0
    """How long a stop may take to tell the store."""
