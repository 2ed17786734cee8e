"""RSA signing keys and their public form (JWKS, RFC 7517)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

import msgspec
import structlog
import trio
from attrs import frozen
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from actors.identity_ports import KeyStore, StoredKey
from chatcore.errors import ChatError

KEY_BITS: Final = 2048
_PUBLIC_EXPONENT: Final = 65_537
RETRY_SECONDS: Final = 1.0

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.node")


class KeySource(Protocol):
    """Where the verifier finds public keys: the embedded keys here, a provider's JWKS elsewhere."""

    def public_key(self, kid: str) -> RSAPublicKey | None: ...


@frozen
class SigningKey:
    kid: str
    private: RSAPrivateKey


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def make_key() -> StoredKey:
    """A fresh key; takes some tens of milliseconds of CPU."""
    private = generate_private_key(_PUBLIC_EXPONENT, KEY_BITS)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kid = urlsafe_b64encode(sha256(public).digest()[:16]).rstrip(b"=").decode()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return StoredKey(kid, pem)


def parse_key(stored: StoredKey) -> SigningKey:
    """Errors: `TypeError` and `ValueError` for what is no RSA private key."""
    private = serialization.load_pem_private_key(stored.private_pem, password=None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError(f"the signing key {stored.kid} is no RSA key")
    return SigningKey(stored.kid, private)


class SigningKeys:
    """The embedded provider's keys. The newest signs, all verify."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._newest = keys[-1]
        self._public: Mapping[str, RSAPublicKey] = {key.kid: key.private.public_key() for key in keys}

    @property
    def newest(self) -> SigningKey:
        return self._newest

    def public_key(self, kid: str) -> RSAPublicKey | None:
        return self._public.get(kid)

    def jwks(self) -> bytes:
        """The JSON Web Key Set, public parts only (RFC 7517 section 5)."""
        keys: list[dict[str, str]] = []
        for kid, public in self._public.items():
            numbers = public.public_numbers()
            keys.append(
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": "RS256",
                    "kid": kid,
                    "n": _base64url(numbers.n),
                    "e": _base64url(numbers.e),
                }
            )
        return msgspec.json.encode({"keys": keys})


async def load_signing_keys(store: KeyStore) -> SigningKeys:
    """The keys that all nodes on one database share; the first node to start makes one."""
    fresh = await trio.to_thread.run_sync(make_key)
    return SigningKeys([parse_key(each) for each in await store.load_or_store(fresh)])


async def await_signing_keys(store: KeyStore) -> SigningKeys:
    """As `load_signing_keys`, once the database is there: without its keys no token can be checked."""
    while True:
        try:
            return await load_signing_keys(store)
        except ChatError as error:
            _log.warning("waiting for the database", error=error.message)
            await trio.sleep(RETRY_SECONDS)
