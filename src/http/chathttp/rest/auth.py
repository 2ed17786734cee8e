"""`/auth/*`, the public keys, and the hook that makes a Cognito user known."""

import hmac
from typing import Final
from uuid import UUID

import msgspec
from quart import Blueprint, Response, request

from chatcore.errors import ChatError, ErrorCode, invalid
from chatcore.validation import check_name
from chathttp.identity.service import normal_email
from chathttp.identity.tokens import Tokens
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.answers import body, json_answer, no_content
from chathttp.rest.client import request_client
from chathttp.rest.services import Services
from chathttp.wire import user_json


class _Signup(RequestBody, frozen=True):
    email: str
    password: str
    name: str


class _Confirm(RequestBody, frozen=True):
    email: str
    code: str


class _Email(RequestBody, frozen=True):
    email: str


class _Reset(RequestBody, frozen=True):
    email: str
    code: str
    new_password: str


class _Login(RequestBody, frozen=True):
    password: str
    email: str | None = None
    username: str | None = None


class _Refresh(RequestBody, frozen=True):
    refresh_token: str


class _KnownUser(RequestBody, frozen=True):
    cognito_id: UUID
    email: str
    name: str


class _SignedUp(msgspec.Struct, rename="camel", frozen=True):
    user_id: UUID
    confirmation_required: bool


class _TokensJson(msgspec.Struct, rename="camel", frozen=True):
    access_token: str
    id_token: str
    refresh_token: str
    token_type: str
    expires_in: int


_decode_signup: Final = decoder_of(_Signup)
_decode_confirm: Final = decoder_of(_Confirm)
_decode_email: Final = decoder_of(_Email)
_decode_reset: Final = decoder_of(_Reset)
_decode_login: Final = decoder_of(_Login)
_decode_refresh: Final = decoder_of(_Refresh)
_decode_known_user: Final = decoder_of(_KnownUser)


def _tokens_answer(tokens: Tokens) -> Response:
    return json_answer(
        _TokensJson(tokens.access_token, tokens.id_token, tokens.refresh_token, "Bearer", tokens.expires_in)
    )


def auth_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("auth", __name__)
    identity = services.identity
    secret = services.settings.internal_secret

    @blueprint.post("/auth/signup")
    async def signup() -> Response:
        given = await body(_decode_signup)
        user_id = await identity.signup(given.email, given.password, given.name)
        return json_answer(_SignedUp(user_id, confirmation_required=True), 201)

    @blueprint.post("/auth/confirm")
    async def confirm() -> Response:
        given = await body(_decode_confirm)
        await identity.confirm(given.email, given.code)
        return no_content()

    @blueprint.post("/auth/resend-confirmation")
    async def resend_confirmation() -> Response:
        await identity.resend_confirmation((await body(_decode_email)).email)
        return no_content(202)

    @blueprint.post("/auth/forgot-password")
    async def forgot_password() -> Response:
        await identity.forgot_password((await body(_decode_email)).email)
        return no_content(202)

    @blueprint.post("/auth/reset-password")
    async def reset_password() -> Response:
        given = await body(_decode_reset)
        await identity.reset_password(given.email, given.code, given.new_password)
        return no_content()

    @blueprint.post("/auth/login")
    async def login() -> Response:
        given = await body(_decode_login)
        email = given.email if given.email is not None else given.username
        if email is None:
            raise invalid("email", "is missing")
        return _tokens_answer(await identity.login(email, given.password, request_client(services.settings).address))

    @blueprint.post("/auth/refresh")
    async def refresh() -> Response:
        return _tokens_answer(await identity.refresh((await body(_decode_refresh)).refresh_token))

    @blueprint.post("/auth/logout")
    async def logout() -> Response:
        await identity.logout((await body(_decode_refresh)).refresh_token)
        return no_content()

    @blueprint.get("/.well-known/jwks.json")
    async def jwks() -> Response:
        return Response(
            identity.jwks(), content_type="application/json", headers={"Cache-Control": "public, max-age=300"}
        )

    @blueprint.post("/internal/users")
    async def known_user() -> Response:
        given_secret = request.headers.get("X-Internal-Secret", "")
        if not secret or not hmac.compare_digest(given_secret.encode(), secret.encode()):
            raise ChatError(ErrorCode.UNAUTHORIZED, "The internal secret is wrong")
        given = await body(_decode_known_user)
        name = check_name("name", given.name)
        user, is_new = await services.users.add(given.cognito_id, normal_email(given.email), name)
        return json_answer(user_json(user, reader=user.id), 201 if is_new else 200)

    return blueprint
