"""The tokens that the embedded provider mints: JWTs with Cognito's claims, and opaque refresh tokens.

Claims after "Understanding the access token" and "Understanding the identity (ID) token" of the Amazon Cognito
developer guide, so that one verifier serves both providers.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

import jwt
from attrs import frozen

from actors.identity_ports import Account
from chathttp.identity.keys import SigningKeys

ACCESS_SCOPE: Final = "aws.cognito.signin.user.admin"
SECRET_BYTES: Final = 32


@frozen
class Tokens:
    """What a sign-in gives. `expires_in` is the life of access and id token in seconds."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_in: int


class TokenMint:
    """Signs access and id tokens with the newest key."""

    def __init__(self, keys: SigningKeys, *, issuer: str, client_id: str, lifetime: float) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id
        self.lifetime = int(lifetime)

    def _sign(self, account: Account, claims: dict[str, object], now: datetime, origin: UUID, since: datetime) -> str:
        issued = int(now.timestamp())
        claims |= {
            "sub": str(account.user_id),
            "iss": self._issuer,
            "auth_time": int(since.timestamp()),
            "iat": issued,
            "exp": issued + self.lifetime,
            "jti": str(uuid4()),
            "origin_jti": str(origin),
        }
        if account.groups:
            claims["cognito:groups"] = list(account.groups)
        key = self._keys.newest
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid})

    def access_token(self, account: Account, now: datetime, origin: UUID, since: datetime) -> str:
        """`origin` is the sign-in's id (`origin_jti`), `since` its time (`auth_time`)."""
        claims: dict[str, object] = {
            "client_id": self._client_id,
            "token_use": "access",
            "scope": ACCESS_SCOPE,
            "username": str(account.user_id),
        }
        return self._sign(account, claims, now, origin, since)

    def id_token(self, account: Account, now: datetime, origin: UUID, since: datetime) -> str:
        claims: dict[str, object] = {
            "aud": self._client_id,
            "token_use": "id",
            "cognito:username": str(account.user_id),
            "email": account.email,
            "email_verified": account.confirmed,
            "name": account.name,
        }
        return self._sign(account, claims, now, origin, since)


@frozen
class RefreshToken:
    """An opaque refresh token: the family's id and a secret. Only `digest` is ever stored.

    The successor comes from the secret and a nonce of the rotation. Who holds an old token does not know the nonce,
    and who reads the database does not know the secret; but the same token with the same nonce gives the same
    successor, so a client that lost the answer gets that answer again.
    """

    family_id: UUID
    secret: bytes

    @classmethod
    def first(cls, family_id: UUID) -> "RefreshToken":
        return cls(family_id, secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        """None for what was never a refresh token."""
        try:
            data = urlsafe_b64decode(text.encode("ascii"))
        except (Base64Error, ValueError):
            return None
        if len(data) != 16 + SECRET_BYTES:
            return None
        token = cls(UUID(bytes=data[:16]), data[16:])
        return token if str(token) == text else None

    def __str__(self) -> str:
        return urlsafe_b64encode(self.family_id.bytes + self.secret).decode("ascii")

    @property
    def digest(self) -> bytes:
        return sha256(self.secret).digest()

    def successor(self, nonce: bytes) -> "RefreshToken":
        return RefreshToken(self.family_id, hmac.digest(self.secret, nonce, "sha256"))


def origin_of(family_id: UUID) -> UUID:
    """The sign-in's id as tokens show it; the family's own id stays secret, since it can end the family."""
    return UUID(bytes=sha256(family_id.bytes).digest()[:16], version=4)
