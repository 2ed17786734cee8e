from collections.abc import AsyncGenerator

import pytest
import trio
import trio.testing

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(cors_origins=("https://app.example",), max_body_bytes=1024)) as kit:
        yield kit


@pytest.mark.contract("error NOT_FOUND")
@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/api/users/", "/api//users", "/static/../x"])
async def test_an_unknown_path_has_the_error_shape(rest: RestKit, path: str) -> None:
    answer = await rest.call("GET", path)
    assert (answer.status, answer.error) == (404, "NOT_FOUND")


@pytest.mark.contract("error METHOD_NOT_ALLOWED", "header Allow")
async def test_a_wrong_method_names_the_right_ones(rest: RestKit) -> None:
    answer = await rest.call("DELETE", "/api/messages")
    assert (answer.status, answer.error) == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.contract("error VALIDATION_ERROR")
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'{"email":1}', b"[" * 1000])
async def test_a_body_that_is_no_fitting_json_is_a_validation_error(rest: RestKit, data: bytes) -> None:
    answer = await rest.call("POST", "/auth/login", data=data, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (400, "VALIDATION_ERROR")
    assert answer.json["details"]


@pytest.mark.contract("error UNSUPPORTED_MEDIA_TYPE")
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "x"])
async def test_a_body_of_another_type_is_refused(rest: RestKit, media_type: str) -> None:
    answer = await rest.call("POST", "/auth/login", data=b"{}", headers={"Content-Type": media_type})
    assert (answer.status, answer.error) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.contract("error PAYLOAD_TOO_LARGE")
async def test_a_body_above_the_limit_is_refused(rest: RestKit) -> None:
    answer = await rest.call("POST", "/auth/login", data=b" " * 1025, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.contract("error INTERNAL_ERROR")
async def test_a_defect_answers_without_its_cause_and_is_logged(
    rest: RestKit, capsys: pytest.CaptureFixture[str]
) -> None:
    _, token = await rest.user("jan")
    rest.identity.chat.faults.fail_next(RuntimeError("secret cause"), method="get")
    answer = await rest.call("GET", "/api/users/me", token=token)
    assert (answer.status, answer.error) == (500, "INTERNAL_ERROR")
    assert b"secret" not in answer.body
    assert "secret cause" in capsys.readouterr().out


@pytest.mark.contract("error UNAVAILABLE", "header Retry-After")
async def test_a_database_that_is_away_is_unavailable_with_a_time_to_retry(rest: RestKit) -> None:
    _, token = await rest.user("jan")
    rest.identity.chat.faults.fail_next(method="get")
    answer = await rest.call("GET", "/api/users/me", token=token)
    assert (answer.status, answer.error, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")


@pytest.mark.contract("error UNAUTHORIZED", "header Authorization", "header WWW-Authenticate")
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "UNAUTHORIZED"),
        ({"Authorization": "Bearer"}, "UNAUTHORIZED"),
        ({"Authorization": "Bearer x"}, "UNAUTHORIZED"),
        ({"Authorization": "Basic eDp5"}, "UNAUTHORIZED"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users/me"),
        ("GET", "/api/conversations"),
        ("GET", "/api/messages"),
        ("POST", "/api/messages"),
    ],
)
async def test_the_api_needs_a_token_before_anything_else(
    rest: RestKit, method: str, path: str, headers: dict[str, str], code: str
) -> None:
    answer = await rest.call(method, path, headers=headers)
    assert (answer.status, answer.error) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.contract("error TOKEN_EXPIRED")
async def test_an_expired_token_says_so_and_the_scheme_has_no_case(rest: RestKit) -> None:
    _, token = await rest.user("jan")
    assert (await rest.call("GET", "/api/users/me", headers={"Authorization": f"bEaReR {token}"})).status == 200
    rest.identity.clock.advance(3600)
    answer = await rest.call("GET", "/api/users/me", token=token)
    assert (answer.status, answer.error) == (401, "TOKEN_EXPIRED")


@pytest.mark.contract("header X-Request-ID")
@pytest.mark.parametrize("given", ["x", "a b~", "y" * 128])
async def test_a_request_id_is_taken_from_the_request(rest: RestKit, given: str) -> None:
    assert (await rest.call("GET", "/nothing", headers={"X-Request-ID": given})).headers["x-request-id"] == given


@pytest.mark.contract("header X-Request-ID")
@pytest.mark.parametrize("given", ["", "y" * 129, "ä", "a\tb"])
async def test_another_request_id_is_replaced(rest: RestKit, given: str) -> None:
    made = (await rest.call("GET", "/nothing", headers={"X-Request-ID": given})).headers["x-request-id"]
    assert made != given
    assert len(made) == 36


@pytest.mark.contract("header X-Content-Type-Options", "header X-Frame-Options", "header Referrer-Policy")
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/nothing"), ("PUT", "/"), ("GET", "/api/users/me")]
)
async def test_security_headers_are_on_every_answer(rest: RestKit, method: str, path: str) -> None:
    answer = await rest.call(method, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in answer.headers


@pytest.mark.contract("header Strict-Transport-Security", "header X-Forwarded-Proto")
async def test_strict_transport_security_goes_with_https_of_a_trusted_proxy_only(rest: RestKit) -> None:
    forwarded = {"X-Forwarded-Proto": "https"}
    trusted = await rest.call("GET", "/docs", headers=forwarded, peer="10.1.2.3")
    assert "strict-transport-security" in trusted.headers
    assert "strict-transport-security" not in (await rest.call("GET", "/docs", headers=forwarded)).headers


@pytest.mark.contract("header Access-Control-Allow-Origin")
async def test_a_configured_origin_may_call_and_no_other(rest: RestKit) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    allowed = await rest.call("OPTIONS", "/api/messages", headers=preflight)
    assert allowed.status == 204
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert "POST" in allowed.headers["access-control-allow-methods"]
    read = await rest.call("GET", "/api/messages", headers={"Origin": "https://app.example"})
    assert read.headers["access-control-allow-origin"] == "https://app.example"
    assert "Link" in read.headers["access-control-expose-headers"]
    other = await rest.call("OPTIONS", "/api/messages", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


async def test_a_request_is_logged_with_its_id_and_user_but_not_its_query(
    rest: RestKit, capsys: pytest.CaptureFixture[str]
) -> None:
    user_id, token = await rest.user("jan")
    await rest.call("GET", "/api/users?search=secret", token=token, headers={"X-Request-ID": "req-7"})
    line = next(line for line in capsys.readouterr().out.splitlines() if "/api/users" in line)
    for part in ("req-7", str(user_id), "GET", "200", "203.0.113.5"):
        assert part in line
    assert "secret" not in line


async def test_two_requests_at_once_keep_their_own_ids(rest: RestKit) -> None:
    _, token = await rest.user("jan")
    ids: dict[str, str] = {}

    async def one(name: str) -> None:
        answer = await rest.call("GET", "/api/users/me", token=token, headers={"X-Request-ID": name})
        ids[name] = answer.headers["x-request-id"]

    rest.identity.chat.faults.pause("get")
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            nursery.start_soon(one, name)
        await trio.testing.wait_all_tasks_blocked()
        rest.identity.chat.faults.resume("get")
    assert ids == {"one": "one", "two": "two"}
