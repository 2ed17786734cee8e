"""What the edge holds its peers to. Durations are seconds."""

from attrs import field, frozen

from chathttp.sockjs.limits import SockjsLimits


@frozen(kw_only=True)
class EdgeLimits:
    """Named as the settings are where there is one."""

    request_head_timeout: float = 10.0
    """For a request's line and headers, all of it."""
    max_request_head_bytes: int = 16_384
    max_frame_bytes: int = 131_072
    """Of one WebSocket message."""
    outbox_limit_bytes: int = 1_048_576
    """Queued output of one WebSocket; above it close 1013."""
    write_timeout: float = 30.0
    """In which a peer must take some of what is written to it, or the connection is reset."""
    max_connections: int = 50_000
    """Above it WebSockets are refused with 503."""
    connect_rate: float = 1000.0
    """WebSockets let in a second, and `connect_burst` at once; above it they are refused with 503."""
    connect_burst: int = 500
    http_reserve: int = 64
    """Connections above `max_connections` that serve HTTP (health checks must be answered by a full server); above
    these nothing is accepted."""
    keep_alive_timeout: float = 75.0
    """For the next request on a connection; longer than a load balancer's own (60 at AWS), or it sees 502."""
    close_timeout: float = 5.0
    """For the peer to end the connection after our close frame or last response."""
    sockjs: SockjsLimits = field(factory=SockjsLimits)
