"""What can be wrong with what a peer sent."""

from chatcore.errors import ErrorCode


class StompSyntaxError(Exception):
    """The peer broke the protocol; the connection cannot go on (close code 1002).

    The message may be shown to the peer: it quotes at most a few octets of what he sent.
    """

    code = ErrorCode.VALIDATION_ERROR


class FrameTooLargeError(StompSyntaxError):
    """A frame, its header count or one header line is over its limit (close code 1009)."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class UnsupportedVersionError(StompSyntaxError):
    """No version in common; the message names those the server speaks."""


def quoted(text: str | bytes, limit: int = 32) -> str:
    """`text` for an error message: printable ASCII, cut at `limit` characters."""
    if isinstance(text, bytes):
        text = text[: limit + 1].decode("utf-8", "replace")
    return ascii(text[:limit] + "…" if len(text) > limit else text)
