"""Who the client is, when proxies stand before us."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from chathttp.settings import Network

HSTS: Final = "max-age=31536000; includeSubDomains"
"""`Strict-Transport-Security` (RFC 6797 section 6.1) of what is answered over https."""

_Address: TypeAlias = IPv4Address | IPv6Address


def _parse(text: str) -> _Address | None:
    """An address as `X-Forwarded-For` has it, with or without port and brackets."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_trusted(address: str, trusted: Iterable[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in trusted)


def is_forwarded_https(peer: str, forwarded_proto: str, trusted: Iterable[Network]) -> bool:
    """Whether a trusted proxy says, in the last entry of `X-Forwarded-Proto`, that the client came over https."""
    return forwarded_proto.rpartition(",")[2].strip().lower() == "https" and is_trusted(peer, trusted)


def client_address(peer: str, forwarded_for: str | None, trusted: Iterable[Network]) -> str:
    """The rightmost address that is not trusted, beginning at the connection's `peer`.

    The header is believed only as far as every address to its right is trusted; an entry that is no address ends the
    walk. When all are trusted it is the leftmost.
    """
    networks = tuple(trusted)
    parsed = _parse(peer)
    if parsed is None:
        return peer
    client = parsed
    hops = forwarded_for.split(",") if forwarded_for else []
    while hops and any(client in network for network in networks):
        hop = _parse(hops.pop())
        if hop is None:
            break
        client = hop
    return str(client)
