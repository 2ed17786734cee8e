"""Requires a bearer token before the handlers of a blueprint."""

from quart import Blueprint, g, request

from chathttp.identity.verifier import bearer_token
from chathttp.rest.services import Services


def require_token(blueprint: Blueprint, services: Services) -> None:
    async def authenticate() -> None:
        token = bearer_token(request.headers.get("Authorization"))
        g.principal = services.verifier.verify(token, services.now())

    blueprint.before_request(authenticate)
