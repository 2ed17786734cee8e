"""Bounds of what a client may send."""

from attrs import frozen


@frozen
class StompLimits:
    """Bounds of what one frame may take, in octets but for `max_headers`.

    `max_frame_bytes` counts from the command's first octet to the final NUL; `max_header_line_bytes`
    counts one header as it is on the wire, without its line end.
    """

    max_frame_bytes: int = 131_072
    max_headers: int = 64
    max_header_line_bytes: int = 8_192
