from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


@pytest.mark.contract("GET /api/users/me", "GET /api/users/{userId}")
async def test_an_email_is_shown_to_its_owner_only(rest: RestKit) -> None:
    alice_id, alice = await rest.user("alice")
    _, bob = await rest.user("bob")
    for path in ("/api/users/me", f"/api/users/{alice_id}"):
        assert (await rest.call("GET", path, token=alice)).json["email"] == "alice@example.com"
    assert (await rest.call("GET", f"/api/users/{alice_id}", token=bob)).json["email"] is None
    found = (await rest.call("GET", "/api/users?search=ali", token=bob)).json["content"]
    assert [(each["name"], each["email"]) for each in found] == [("alice", None)]


@pytest.mark.parametrize("path", [f"/api/users/{UUID(int=1)}", "/api/users/nobody"])
async def test_an_unknown_user_is_not_found(rest: RestKit, path: str) -> None:
    _, token = await rest.user("alice")
    assert (await rest.call("GET", path, token=token)).error == "NOT_FOUND"


@pytest.mark.contract("PATCH /api/users/me")
async def test_a_user_changes_name_and_picture_one_by_one(rest: RestKit) -> None:
    _, token = await rest.user("alice")

    async def change(**given: object) -> tuple[str, str | None]:
        answer = await rest.call("PATCH", "/api/users/me", given, token=token)
        assert answer.status == 200
        return answer.json["name"], answer.json["profilePictureUrl"]

    assert await change(name=" Alice ") == ("Alice", None)
    assert await change(profilePictureUrl="https://a.example/x.png") == ("Alice", "https://a.example/x.png")
    assert await change() == ("Alice", "https://a.example/x.png")
    assert await change(profilePictureUrl=None) == ("Alice", None)
    await change(profilePictureUrl="https://a.example/x.png")
    assert await change(profilePictureUrl="") == ("Alice", None)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": None}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"profilePictureUrl": "javascript:alert(1)"}, "profilePictureUrl"),
        ({"profilePictureUrl": 5}, "profilePictureUrl"),
    ],
)
async def test_a_change_that_does_not_fit_names_the_field(rest: RestKit, given: object, field: str) -> None:
    _, token = await rest.user("alice")
    assert (await rest.call("PATCH", "/api/users/me", given, token=token)).field == field


async def test_a_new_name_is_shown_in_conversations_in_use(rest: RestKit) -> None:
    _, token = await rest.user("alice")
    group = await rest.group(token)
    assert (await rest.send(token, group)).json["senderName"] == "alice"
    await rest.call("PATCH", "/api/users/me", {"name": "Alice"}, token=token)
    assert (await rest.send(token, group)).json["senderName"] == "Alice"


@pytest.mark.contract("GET /api/users")
async def test_the_search_is_paged(rest: RestKit) -> None:
    _, token = await rest.user("zoe")
    for number in range(5):
        await rest.user(f"jan{number}")
    pages = [
        (await rest.call("GET", f"/api/users?search=jan&page={page}&size=2", token=token)).json for page in range(4)
    ]
    assert [[each["name"] for each in page["content"]] for page in pages] == [
        ["jan0", "jan1"],
        ["jan2", "jan3"],
        ["jan4"],
        [],
    ]
    assert {(each["totalElements"], each["totalPages"], each["size"]) for each in pages} == {(5, 3, 2)}
    everybody = (await rest.call("GET", "/api/users", token=token)).json
    assert (everybody["totalElements"], everybody["page"], everybody["size"]) == (6, 0, 20)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=%C2%B2", "page"),
        ("page=10000001", "page"),
        ("size=0", "size"),
        ("size=201", "size"),
        ("size=", "size"),
        ("size=1&size=2", "size"),
        ("search=a%00", "search"),
        ("search=" + "x" * 201, "search"),
    ],
)
async def test_a_query_that_does_not_fit_names_the_parameter(rest: RestKit, query: str, field: str) -> None:
    _, token = await rest.user("alice")
    assert (await rest.call("GET", f"/api/users?{query}", token=token)).field == field
