"""The limits and intervals of a conversation, in seconds, bytes and counts."""

from attrs import frozen


@frozen
class ConversationPolicy:
    mailbox_capacity: int = 1024
    batch_limit: int = 256
    batch_bytes: int = 131_072
    """Text of one append; bounds what one commit puts into every outbox at once."""
    idle_seconds: float = 60.0
    typing_timeout: float = 6.0
    typing_min_interval: float = 1.0
    mark_interval: float = 1.0
    """Least time between two announcements of marks, and longest time that a mark is not stored."""
    large_room_members: int = 100
    """Above it delivered marks are not announced, and are stored each `large_room_mark_interval`."""
    large_room_mark_interval: float = 10.0
    marks_page: int = 500
    """Members whose marks are stored by one statement; between two the other tasks run."""
    notification_interval: float = 1.0
    notification_slice: int = 64
    notified_together: int = 1024
    """Users told between two checkpoints."""
    notified_changes: int = 20
    """How many may come or go at once and be told of one by one to all members."""
    presence_settle_seconds: float = 5.0
    """How long after a crash the presence that was known before is believed, if it is not told again."""
    fanout_slice: int = 256
    """Subscribers served between two checkpoints."""
    recent_events: int = 256
    recent_bytes: int = 262_144
    """Events kept at hand for a subscription that joins just behind, and the bytes of their bodies."""
    history_page: int = 200
    max_members: int = 1000
    max_reactions: int = 20
    """Different emojis on one message."""
    retry_seconds: float = 1.0
    """How long after a failed read or write, or a write of unknown outcome, the database is asked again."""
    doubt_seconds: float = 30.0
    """How long a write of unknown outcome may still be committed: until then the database is asked again and again."""
    attend_seconds: float = 5.0
    """How often it is looked whether a conversation that came out of quarantine has subscriptions but no actor."""
    flush_timeout: float = 2.0
    """How long a stop may take to store the last marks."""
