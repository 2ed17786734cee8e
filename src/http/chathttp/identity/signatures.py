"""Signed texts to what they say: the one form of RFC 7515 that this server takes, compact and with RS256.

PyJWT does more than that and takes 70 µs for what is 12 here (docs/decisions/0009): it is a third of what a connection
costs. The tests hold this to what PyJWT accepts.
"""

import re
from base64 import urlsafe_b64decode
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from chathttp.identity.keys import KeySource

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


class _Header(msgspec.Struct):
    """RFC 7515 section 4.1. What is marked critical must be understood, and here nothing is; `b64` needs that mark."""

    alg: Literal["RS256"]
    kid: str
    crit: msgspec.UnsetType = msgspec.UNSET
    b64: msgspec.UnsetType = msgspec.UNSET


_decode_header: Final = msgspec.json.Decoder(_Header).decode


def verified_payload(token: str, keys: KeySource) -> bytes | None:
    """What `token` says, if one of `keys` has signed it; None for everything else."""
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        return None
    try:
        header = _decode_header(_decode(parts[1]))
        key = keys.public_key(header.kid)
        if key is None:
            return None
        key.verify(_decode(parts[3]), token[: parts.end(2)].encode(), _PADDING, _HASH)
        return _decode(parts[2])
    except (ValueError, RecursionError, InvalidSignature):
        return None


def _decode(segment: str) -> bytes:
    """Raises `ValueError`."""
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
