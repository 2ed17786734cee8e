"""Access tokens to principals."""

from collections import OrderedDict
from collections.abc import Container
from hashlib import sha256
from typing import Final, cast
from uuid import UUID

import msgspec
from attrs import frozen

from chatcore.errors import ChatError, ErrorCode
from chathttp.identity.keys import KeySource
from chathttp.identity.signatures import verified_payload

MAX_TOKEN_LENGTH: Final = 16_384
_ACCESS: Final = "access"
_decode_claims: Final = msgspec.json.Decoder(dict[str, object]).decode


@frozen
class Principal:
    """Who calls. `expires_at` is in seconds since 1970."""

    user_id: UUID
    roles: frozenset[str]
    expires_at: float


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization: Bearer …` header (RFC 6750 section 2.1). Errors: `UNAUTHORIZED`."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("A bearer token is needed")
    return token.strip()


def unauthorized(message: str = "The access token is not valid") -> ChatError:
    return ChatError(ErrorCode.UNAUTHORIZED, message)


def _expired() -> ChatError:
    return ChatError(ErrorCode.TOKEN_EXPIRED, "The access token has expired")


class TokenVerifier:
    """Checks RS256 access tokens as Cognito issues them: signature, `exp`, `nbf`, `iss`, client id and `token_use`.

    Whose account is `erased` has no good token. One is checked once: of the last `cache_size` good ones the SHA-256
    digest is kept with what it says.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        client_id: str,
        cache_size: int = 50_000,
        erased: Container[UUID] = frozenset(),
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id
        self._cache_size = cache_size
        self._erased = erased
        self._cache: OrderedDict[bytes, Principal] = OrderedDict()

    def verify(self, token: str, now: float) -> Principal:
        """`now` is in seconds since 1970. Errors: `UNAUTHORIZED`, `TOKEN_EXPIRED`."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise unauthorized()
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        principal = self._cache.get(digest)
        if principal is None:
            principal = self._check(token, now)
            self._cache[digest] = principal
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(digest)
        if now >= principal.expires_at:
            raise _expired()
        if principal.user_id in self._erased:
            raise unauthorized("The account was deleted")
        return principal

    def _check(self, token: str, now: float) -> Principal:
        payload = verified_payload(token, self._keys)
        if payload is None:
            raise unauthorized()
        try:
            claims = _decode_claims(payload)
        except (ValueError, RecursionError):
            raise unauthorized() from None
        if claims.get("token_use") != _ACCESS or claims.get("iss") != self._issuer or not self._is_ours(claims):
            raise unauthorized()
        not_before = claims.get("nbf", 0)
        if not isinstance(not_before, int | float) or now < not_before:
            raise unauthorized("The access token is not valid yet")
        return self._principal(claims)

    def _is_ours(self, claims: dict[str, object]) -> bool:
        if "client_id" in claims:
            return claims["client_id"] == self._client_id
        audience = claims.get("aud")
        return audience == self._client_id or (isinstance(audience, list) and self._client_id in audience)

    def _principal(self, claims: dict[str, object]) -> Principal:
        subject, expires_at, groups = claims.get("sub"), claims.get("exp"), claims.get("cognito:groups", [])
        if not isinstance(subject, str) or not isinstance(expires_at, int | float) or not isinstance(groups, list):
            raise unauthorized()
        try:
            user_id = UUID(subject)
        except ValueError:
            raise unauthorized() from None
        roles = frozenset(each for each in cast("list[object]", groups) if isinstance(each, str))
        return Principal(user_id, roles, float(expires_at))
