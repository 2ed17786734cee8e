"""What SockJS holds its clients to. Durations are seconds."""

from attrs import frozen


@frozen(kw_only=True)
class SockjsLimits:
    """Named as the settings are where there is one."""

    max_frame_bytes: int = 131_072
    """Of one message, which is at most one STOMP frame, without SockJS's own wrapping."""
    outbox_limit_bytes: int = 1_048_576
    """Of messages that wait for the client to come for them; above it close 1013."""
    heartbeat: float = 25.0
    """After which a client that nothing was sent to gets an `h`."""
    disconnect_delay: float = 5.0
    """Without a request that receives, after which a session is over."""
    response_bytes: int = 131_072
    """After which a streaming response ends, and the client makes another: browsers keep all of it."""
    take_timeout: float = 15.0
    """In which a session must take in what was sent before, or a further request that sends is refused."""
    max_senders: int = 16
    """Requests of one session that wait to send; more are refused."""
