"""Requires a bearer token before the handlers of a blueprint."""

from quart import Blueprint, g, request

from chathttp.identity.verifier import unauthorized
from chathttp.rest.services import Services


def bearer_token(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer …` header (RFC 6750 section 2.1); None for anything else."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def require_token(blueprint: Blueprint, services: Services) -> None:
    async def authenticate() -> None:
        token = bearer_token(request.headers.get("Authorization"))
        if token is None:
            raise unauthorized("A bearer token is needed")
        g.principal = services.verifier.verify(token, services.now())

    blueprint.before_request(authenticate)
