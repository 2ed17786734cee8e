import re
from collections.abc import AsyncGenerator

import pytest

from tests.kit.openapi import SCHEMA_DIRECTORY
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


async def test_a_file_is_not_sent_again_to_who_has_it(rest: RestKit) -> None:
    first = await rest.call("GET", "/static/js/main.js")
    assert (first.status, first.headers["cache-control"]) == (200, "no-cache")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await rest.call("GET", "/static/js/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.contract("header Content-Security-Policy", "GET /", "GET /docs")
@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_bear_a_policy_that_allows_their_own_scripts_only(rest: RestKit, path: str) -> None:
    answer = await rest.call("GET", path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page = answer.body.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\son\w+=|style=", page)
    for address in re.findall(r'(?:src|href)="(/[^"]*)"', page):
        assert (await rest.call("GET", address)).status == 200, address
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.contract("GET /openapi.yaml", "GET /asyncapi.yaml")
@pytest.mark.parametrize("name", ["openapi.yaml", "asyncapi.yaml"])
async def test_the_schemas_are_served_as_they_are(rest: RestKit, name: str) -> None:
    answer = await rest.call("GET", f"/{name}")
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.body == (SCHEMA_DIRECTORY / name).read_bytes()


@pytest.mark.parametrize("path", ["/static/../wiring.py", "/static/%2e%2e/wiring.py", "/docs/../app.py", "/static/"])
async def test_nothing_else_is_served(rest: RestKit, path: str) -> None:
    assert (await rest.call("GET", path)).status == 404


async def test_a_file_answers_head_without_a_body(rest: RestKit) -> None:
    answer = await rest.call("HEAD", "/static/js/main.js")
    assert answer.status == 200
    assert (await rest.call("POST", "/static/js/main.js")).error == "METHOD_NOT_ALLOWED"
