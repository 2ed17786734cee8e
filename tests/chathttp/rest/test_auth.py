from collections.abc import AsyncGenerator

import pytest

from chathttp.settings import Settings
from tests.kit.identity import PASSWORD
from tests.kit.rest import RestKit, open_rest

EMAIL = "jan@example.com"
SECRET = "a-secret-of-the-hook"
USER = "018f0000-0000-7000-8000-00000000000a"


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(internal_secret=SECRET)) as kit:
        yield kit


async def sign_up(rest: RestKit) -> None:
    given = {"email": EMAIL, "password": PASSWORD, "name": "Jan"}
    answer = await rest.call("POST", "/auth/signup", given)
    assert (answer.status, answer.json["confirmationRequired"]) == (201, True)
    code = rest.identity.mails.code()
    assert (await rest.call("POST", "/auth/confirm", {"email": EMAIL, "code": code})).status == 204


@pytest.mark.contract(
    "POST /auth/signup", "POST /auth/confirm", "POST /auth/login", "POST /auth/refresh", "POST /auth/logout"
)
async def test_sign_up_confirm_sign_in_refresh_and_sign_out(rest: RestKit) -> None:
    await sign_up(rest)
    for name in ("email", "username"):
        tokens = (await rest.call("POST", "/auth/login", {name: EMAIL, "password": PASSWORD})).json
        me = await rest.call("GET", "/api/users/me", token=tokens["accessToken"])
        assert (me.json["email"], me.json["name"]) == (EMAIL, "Jan")
    refreshed = await rest.call("POST", "/auth/refresh", {"refreshToken": tokens["refreshToken"]})
    assert (refreshed.status, refreshed.json["tokenType"], refreshed.json["expiresIn"]) == (200, "Bearer", 3600)
    dead = {"refreshToken": refreshed.json["refreshToken"]}
    for _ in range(2):
        assert (await rest.call("POST", "/auth/logout", dead)).status == 204
    answer = await rest.call("POST", "/auth/refresh", dead)
    assert (answer.status, answer.error) == (401, "UNAUTHORIZED")


@pytest.mark.contract("error INVALID_CREDENTIALS", "error EMAIL_NOT_VERIFIED", "error CONFLICT")
async def test_refusals_have_the_codes_of_the_contract(rest: RestKit) -> None:
    given = {"email": EMAIL, "password": PASSWORD, "name": "Jan"}
    weak = await rest.call("POST", "/auth/signup", given | {"password": "weak"})
    assert weak.field == "password"
    assert (await rest.call("POST", "/auth/signup", given)).status == 201
    taken = await rest.call("POST", "/auth/signup", given)
    assert (taken.status, taken.error) == (409, "CONFLICT")
    unconfirmed = await rest.call("POST", "/auth/login", given)
    assert (unconfirmed.status, unconfirmed.error) == (403, "EMAIL_NOT_VERIFIED")
    wrong = await rest.call("POST", "/auth/login", given | {"password": "wrong"})
    assert (wrong.status, wrong.error) == (401, "INVALID_CREDENTIALS")
    assert (await rest.call("POST", "/auth/login", {"password": "x"})).field == "email"
    assert (await rest.call("POST", "/auth/login", {"email": "x" * 255, "password": "x"})).field == "email"
    assert (await rest.call("POST", "/auth/confirm", {"email": EMAIL, "code": "x"})).field == "code"


@pytest.mark.contract("POST /auth/forgot-password", "POST /auth/reset-password", "POST /auth/resend-confirmation")
async def test_a_forgotten_password_is_reset_and_the_answer_never_tells_who_has_an_account(rest: RestKit) -> None:
    await sign_up(rest)
    for email in (EMAIL, "nobody@example.com"):
        assert (await rest.call("POST", "/auth/forgot-password", {"email": email})).status == 202
        assert (await rest.call("POST", "/auth/resend-confirmation", {"email": email})).status == 202
    given = {"email": EMAIL, "code": rest.identity.mails.code(), "newPassword": "N3wPassword"}
    assert (await rest.call("POST", "/auth/reset-password", given)).status == 204
    assert (await rest.call("POST", "/auth/reset-password", given)).field == "code"
    assert (await rest.call("POST", "/auth/login", {"email": EMAIL, "password": "N3wPassword"})).status == 200


@pytest.mark.contract("error RATE_LIMITED", "header Retry-After", "header X-Forwarded-For")
async def test_too_many_logins_are_limited_for_the_forwarded_address_and_say_when_to_retry(rest: RestKit) -> None:
    config = rest.identity.config

    async def attempt(address: str) -> tuple[int, str | None]:
        answer = await rest.call(
            "POST",
            "/auth/login",
            {"email": EMAIL, "password": "x"},
            headers={"X-Forwarded-For": address},
            peer="10.0.0.1",
        )
        return answer.status, answer.headers.get("retry-after")

    for _ in range(config.login_burst):
        assert await attempt("198.51.100.1") == (401, None)
    assert await attempt("198.51.100.1") == (429, "15")
    assert await attempt("198.51.100.2") == (401, None)


@pytest.mark.contract("POST /internal/users")
async def test_the_hook_makes_a_user_known_once(rest: RestKit) -> None:
    given = {"cognitoId": USER, "email": EMAIL, "name": "Jan"}
    right = {"X-Internal-Secret": SECRET}
    answers = [await rest.call("POST", "/internal/users", given, headers=right) for _ in range(2)]
    assert [each.status for each in answers] == [201, 200]
    assert answers[0].json["id"] == USER
    other = given | {"cognitoId": USER.replace("a", "b")}
    assert (await rest.call("POST", "/internal/users", other, headers=right)).status == 409


@pytest.mark.contract("header X-Internal-Secret")
@pytest.mark.parametrize("headers", [{}, {"X-Internal-Secret": "wrong"}, {"X-Internal-Secret": ""}])
async def test_the_hook_needs_its_secret(rest: RestKit, headers: dict[str, str]) -> None:
    given = {"cognitoId": USER, "email": EMAIL, "name": "Jan"}
    assert (await rest.call("POST", "/internal/users", given, headers=headers)).status == 401


async def test_without_a_configured_secret_the_hook_refuses_all() -> None:
    async with open_rest() as rest:
        answer = await rest.call("POST", "/internal/users", {}, headers={"X-Internal-Secret": ""})
        assert answer.status == 401


@pytest.mark.contract("GET /.well-known/jwks.json")
async def test_the_public_keys_are_published(rest: RestKit) -> None:
    answer = await rest.call("GET", "/.well-known/jwks.json")
    assert answer.json["keys"][0]["kid"] == rest.identity.keys.newest.kid
    assert "max-age" in answer.headers["cache-control"]
