"""`GET /api/messages/search`."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.search import SearchCursor
from chathttp.rest.search import MAX_QUERY, read_search_cursor, write_search_cursor
from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


@pytest.mark.contract("GET /api/messages/search")
async def test_a_hit_is_the_message_with_an_excerpt_that_marks_the_match(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    bob_id, bob = await rest.user("bob")
    group = await rest.group(alice, bob_id)
    sent = (await rest.send(bob, group, "tea at <five>?")).json
    await rest.send(alice, group, "coffee")
    answer = await rest.call("GET", "/api/messages/search?q=tea", token=alice)
    assert answer.status == 200
    assert answer.json == [
        {
            "message": sent | {"isRead": True},
            "excerpt": [{"text": "tea", "isMatch": True}, {"text": " at <five>?", "isMatch": False}],
        }
    ]
    assert "link" not in answer.headers


async def test_what_the_caller_has_not_read_says_so(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    bob_id, bob = await rest.user("bob")
    group = await rest.group(alice, bob_id)
    sent = (await rest.send(alice, group, "tea")).json
    path = "/api/messages/search?q=tea"
    assert not (await rest.call("GET", path, token=bob)).json[0]["message"]["isRead"]
    await rest.call("PUT", f"/api/messages/{sent['id']}/read", token=bob)
    assert (await rest.call("GET", path, token=bob)).json[0]["message"]["isRead"]


@pytest.mark.contract("header Link")
async def test_pages_follow_the_link_with_the_same_query(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    bob_id, _ = await rest.user("bob")
    group = await rest.group(alice, bob_id)
    for number in range(5):
        await rest.send(alice, group, f"tea & milk {number}")
        rest.identity.clock.advance(1.0)
    path: str | None = f"/api/messages/search?q=tea+%26+milk&size=2&conversationId={group}"
    found: list[str] = []
    while path is not None:
        answer = await rest.call("GET", path, token=alice)
        found += [each["message"]["text"] for each in answer.json]
        link = answer.headers.get("link")
        path = None if link is None else link.removeprefix("<").removesuffix('>; rel="next"')
    assert found == [f"tea & milk {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.contract("GET /api/messages/search")
async def test_only_in_conversations_of_the_caller(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    bob_id, bob = await rest.user("bob")
    _, eve = await rest.user("eve")
    group = await rest.group(alice, bob_id)
    await rest.send(bob, group, "tea")
    assert (await rest.call("GET", "/api/messages/search?q=tea", token=eve)).json == []
    within = "/api/messages/search?q=tea&conversationId={}"
    assert (await rest.call("GET", within.format(group), token=eve)).json["errorCode"] == "FORBIDDEN"
    assert (await rest.call("GET", within.format(uuid4()), token=eve)).json["errorCode"] == "NOT_FOUND"
    assert (await rest.call("GET", "/api/messages/search?q=tea")).json["errorCode"] == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("?q=", "q"),
        ("?q=%20", "q"),
        (f"?q={'x' * (MAX_QUERY + 1)}", "q"),
        ("?q=a%00b", "q"),
        ("?q=a&q=b", "q"),
        ("?q=a&conversationId=1", "conversationId"),
        ("?q=a&size=0", "size"),
        ("?q=a&size=201", "size"),
        ("?q=a&after=", "after"),
        ("?q=a&after=%21%21", "after"),
        ("?q=a&after=f8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", "after"),
    ],
)
async def test_what_makes_no_sense_is_refused(rest: RestKit, query: str, field: str) -> None:
    _, alice = await rest.user("alice")
    assert (await rest.call("GET", f"/api/messages/search{query}", token=alice)).field == field


async def test_no_more_of_the_newest_matches_are_ranked_than_the_setting_says() -> None:
    async with open_rest(attrs.evolve(Settings(), search_depth=2)) as rest:
        _, alice = await rest.user("alice")
        bob_id, _ = await rest.user("bob")
        group = await rest.group(alice, bob_id)
        for text in ("tea tea", "tea one", "tea two"):
            await rest.send(alice, group, text)
            rest.identity.clock.advance(1.0)
        found = (await rest.call("GET", "/api/messages/search?q=tea", token=alice)).json
        assert [each["message"]["text"] for each in found] == ["tea two", "tea one"]


@given(st.builds(SearchCursor, st.floats(0, 1, width=32), st.integers(-(2**63), 2**63 - 1), st.uuids()))
def test_cursors_come_back_as_they_went(cursor: SearchCursor) -> None:
    assert read_search_cursor(write_search_cursor(cursor)) == cursor
