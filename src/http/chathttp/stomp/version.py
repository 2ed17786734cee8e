"""Version negotiation: `accept-version` together with the WebSocket subprotocol."""

from collections.abc import Iterable

from chathttp.stomp.errors import UnsupportedVersionError
from chathttp.stomp.frame import Version

SUBPROTOCOLS: dict[str, Version] = {"v12.stomp": Version.V12, "v11.stomp": Version.V11, "v10.stomp": Version.V10}
"""WebSocket subprotocol names, best first."""

SUPPORTED = ",".join(Version)
"""The value of the `version` header of an ERROR that refuses all offered versions."""


def choose_subprotocol(offered: Iterable[str]) -> str | None:
    """The best subprotocol of a handshake's `Sec-WebSocket-Protocol`, or None when none of them is STOMP's."""
    names = set(offered)
    return next((name for name in SUBPROTOCOLS if name in names), None)


def negotiate(accept_version: str | None, subprotocol: str | None = None) -> Version:
    """The version to speak (STOMP 1.2, "Protocol Negotiation").

    No `accept-version` means a 1.0 client. The version of the agreed subprotocol is taken when the
    client accepts it, else the highest in common. Raises `UnsupportedVersionError`.
    """
    if accept_version is None:
        return Version.V10
    accepted = {word.strip() for word in accept_version.split(",")}
    preferred = SUBPROTOCOLS.get(subprotocol) if subprotocol is not None else None
    if preferred is not None and preferred in accepted:
        return preferred
    for version in (Version.V12, Version.V11, Version.V10):
        if version in accepted:
            return version
    raise UnsupportedVersionError(f"supported protocol versions are {SUPPORTED}")
