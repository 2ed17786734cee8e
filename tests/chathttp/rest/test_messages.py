from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from attrs import define
from trio.testing import MockClock

from chatcore.errors import overloaded
from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(send_rate=10.0, send_burst=10)) as kit:
        yield kit


@define
class Chat:
    alice: str
    bob: str
    group: str


@pytest.fixture
async def chat(rest: RestKit) -> Chat:
    (_, alice), (bob_id, bob) = await rest.user("alice"), await rest.user("bob")
    return Chat(alice, bob, await rest.group(alice, bob_id))


@pytest.mark.contract("POST /api/messages")
async def test_a_sent_message_is_answered_with_its_place(rest: RestKit, chat: Chat) -> None:
    answers = [await rest.send(chat.alice, chat.group, text) for text in ("one", "two")]
    assert [(each.status, each.json["seq"], each.json["text"]) for each in answers] == [
        (201, 1, "one"),
        (201, 2, "two"),
    ]
    assert answers[0].json["senderName"] == "alice"
    assert answers[0].json["isRead"] is True
    reply = await rest.send(chat.bob, chat.group, replyTo=answers[0].json["id"])
    assert reply.json["replyTo"] == answers[0].json["id"]


@pytest.mark.contract("POST /api/messages", "clientMessageId is sent once")
async def test_a_repeated_client_message_id_gives_the_first_message_as_it_is_now(rest: RestKit, chat: Chat) -> None:
    first = await rest.send(chat.alice, chat.group, "one", clientMessageId="m1")
    await rest.call("PATCH", f"/api/messages/{first.json['id']}", {"text": "changed"}, token=chat.alice)
    again = await rest.send(chat.alice, chat.group, "another", clientMessageId="m1")
    assert (first.status, again.status) == (201, 200)
    assert (again.json["id"], again.json["text"], again.json["seq"]) == (first.json["id"], "changed", 1)
    other = await rest.send(chat.bob, chat.group, "mine", clientMessageId="m1")
    assert (other.status, other.json["seq"]) == (201, 2)


@pytest.mark.contract("limit text of 10,000 code points", "limit clientMessageId of 128 characters")
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * 10_001}, "text"),
        ({"text": "a\x00"}, "text"),
        ({"clientMessageId": ""}, "clientMessageId"),
        ({"attachmentIds": [str(uuid4())]}, "attachmentIds"),
        ({"replyTo": str(uuid4())}, "replyTo"),
        ({"conversationId": "x"}, "conversationId"),
    ],
)
async def test_a_message_that_does_not_fit_names_the_field(
    rest: RestKit, chat: Chat, more: dict[str, object], field: str
) -> None:
    given = {"conversationId": chat.group, "text": "hi"} | more
    assert (await rest.call("POST", "/api/messages", given, token=chat.alice)).field == field


@pytest.mark.contract("error FORBIDDEN", "403 to a stranger where there is something, else 404")
async def test_a_stranger_neither_sends_nor_reads(rest: RestKit, chat: Chat) -> None:
    _, eve = await rest.user("eve")
    message = (await rest.send(chat.alice, chat.group)).json["id"]
    attempts = [
        await rest.send(eve, chat.group),
        await rest.call("GET", f"/api/messages?conversationId={chat.group}", token=eve),
        await rest.call("PATCH", f"/api/messages/{message}", {"text": "x"}, token=eve),
        await rest.call("DELETE", f"/api/messages/{message}", token=eve),
        await rest.call("PUT", f"/api/messages/{message}/read", token=eve),
    ]
    assert [(each.status, each.error) for each in attempts] == [(403, "FORBIDDEN")] * 5


@pytest.mark.contract("403 to a stranger where there is something, else 404")
async def test_what_does_not_exist_is_not_found(rest: RestKit, chat: Chat) -> None:
    nothing = uuid4()
    attempts = [
        await rest.send(chat.alice, str(nothing)),
        await rest.call("GET", f"/api/messages?conversationId={nothing}", token=chat.alice),
        await rest.call("PATCH", f"/api/messages/{nothing}", {"text": "x"}, token=chat.alice),
        await rest.call("DELETE", f"/api/messages/{nothing}", token=chat.alice),
        await rest.call("PUT", f"/api/messages/{nothing}/read", token=chat.alice),
    ]
    assert [(each.status, each.error) for each in attempts] == [(404, "NOT_FOUND")] * 5


@pytest.mark.contract("limit sends a second and user", "error RATE_LIMITED")
async def test_sends_above_the_rate_are_refused_with_a_time_to_retry(
    mock_clock: MockClock, rest: RestKit, chat: Chat
) -> None:
    assert [(await rest.send(chat.alice, chat.group)).status for _ in range(10)] == [201] * 10
    refused = await rest.send(chat.alice, chat.group)
    assert (refused.status, refused.error, refused.headers["retry-after"]) == (429, "RATE_LIMITED", "1")
    assert (await rest.send(chat.bob, chat.group)).status == 201
    mock_clock.jump(0.1)
    assert (await rest.send(chat.alice, chat.group)).status == 201


@pytest.mark.contract("error OVERLOADED")
async def test_a_send_to_a_full_server_is_refused_as_overloaded_and_not_stored(rest: RestKit, chat: Chat) -> None:
    rest.identity.chat.faults.fail_next(overloaded(), method="append")
    refused = await rest.send(chat.alice, chat.group, "too much")
    assert (refused.status, refused.error, refused.headers["retry-after"]) == (503, "OVERLOADED", "1")
    assert (await rest.send(chat.alice, chat.group, "later")).json["seq"] == 1


@pytest.mark.contract("error UNAVAILABLE", "clientMessageId is sent once")
async def test_a_write_of_unknown_outcome_is_repeated_without_doubling(rest: RestKit, chat: Chat) -> None:
    await rest.send(chat.alice, chat.group)
    rest.identity.chat.faults.fail_next(method="append", after_commit=True)
    lost = await rest.send(chat.alice, chat.group, clientMessageId="m1")
    assert (lost.status, lost.error) == (503, "UNAVAILABLE")
    again = await rest.send(chat.alice, chat.group, clientMessageId="m1")
    assert (again.status, again.json["seq"]) == (200, 2)


@pytest.mark.contract("PATCH /api/messages/{messageId}", "DELETE /api/messages/{messageId}")
async def test_the_sender_edits_and_deletes_and_nobody_else(rest: RestKit, chat: Chat) -> None:
    path = f"/api/messages/{(await rest.send(chat.alice, chat.group)).json['id']}"
    edited = await rest.call("PATCH", path, {"text": "changed"}, token=chat.alice)
    assert (edited.status, edited.json["text"], edited.json["seq"]) == (200, "changed", 1)
    assert edited.json["editedAt"] is not None
    assert (await rest.call("PATCH", path, {"text": "x"}, token=chat.bob)).error == "FORBIDDEN"
    assert (await rest.call("PATCH", path, {"text": "  "}, token=chat.alice)).field == "text"
    assert (await rest.call("DELETE", path, token=chat.bob)).error == "FORBIDDEN"
    assert [(await rest.call("DELETE", path, token=chat.alice)).status for _ in range(2)] == [204, 204]
    (tombstone,) = (await rest.call("GET", f"/api/messages?conversationId={chat.group}", token=chat.bob)).json[
        "content"
    ]
    assert (tombstone["text"], tombstone["seq"]) == ("", 1)
    assert tombstone["deletedAt"] is not None
    assert (await rest.call("PATCH", path, {"text": "x"}, token=chat.alice)).error == "CONFLICT"


@pytest.mark.parametrize("role", ["admins", "moderators"])
async def test_a_moderator_deletes_where_he_is_no_member(rest: RestKit, chat: Chat, role: str) -> None:
    _, moderator = await rest.user("mod", groups=(role,))
    path = f"/api/messages/{(await rest.send(chat.alice, chat.group)).json['id']}"
    assert (await rest.call("DELETE", path, token=moderator)).status == 204
    assert (await rest.call("PATCH", path, {"text": "x"}, token=moderator)).error == "FORBIDDEN"


async def fetch(rest: RestKit, chat: Chat, query: str, token: str | None = None) -> list[int]:
    path = f"/api/messages?conversationId={chat.group}&{query}"
    answer = await rest.call("GET", path, token=token or chat.alice)
    assert answer.status == 200, answer.body
    assert answer.json["totalElements"] == 7
    return [each["seq"] for each in answer.json["content"]]


@pytest.mark.contract("GET /api/messages")
async def test_history_is_read_by_page_and_by_bounds(rest: RestKit, chat: Chat) -> None:
    messages = [(await rest.send(chat.alice, chat.group)).json for _ in range(7)]
    assert await fetch(rest, chat, "size=3") == [7, 6, 5]
    assert await fetch(rest, chat, "page=1&size=3") == [4, 3, 2]
    assert await fetch(rest, chat, "page=2&size=3") == [1]
    assert await fetch(rest, chat, "page=3&size=3") == []
    assert await fetch(rest, chat, "page=10000000&size=200") == []
    assert await fetch(rest, chat, "beforeSeq=5&size=2") == [4, 3]
    assert await fetch(rest, chat, "beforeSeq=0") == []
    assert await fetch(rest, chat, "beforeSeq=9223372036854775807&size=1") == [7]
    assert await fetch(rest, chat, "afterSeq=5") == [6, 7]
    assert await fetch(rest, chat, "afterSeq=0&size=2") == [1, 2]
    assert await fetch(rest, chat, "afterSeq=9223372036854775807") == []
    await rest.call("PATCH", f"/api/messages/{messages[1]['id']}", {"text": "changed"}, token=chat.alice)
    assert await fetch(rest, chat, f"afterRev={messages[5]['rev']}") == [7, 2]
    page = (await rest.call("GET", f"/api/messages?conversationId={chat.group}&size=3&page=1", token=chat.alice)).json
    assert (page["page"], page["size"], page["totalElements"], page["totalPages"]) == (1, 3, 7, 3)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "conversationId"),
        ("conversationId=x", "conversationId"),
        ("conversationId={group}&size=0", "size"),
        ("conversationId={group}&size=201", "size"),
        ("conversationId={group}&page=-1", "page"),
        ("conversationId={group}&beforeSeq=x", "beforeSeq"),
        ("conversationId={group}&afterSeq=9223372036854775808", "afterSeq"),
        ("conversationId={group}&afterRev=1.5", "afterRev"),
        ("conversationId={group}&page=0&beforeSeq=5", "page"),
        ("conversationId={group}&afterSeq=1&afterRev=1", "page"),
    ],
)
async def test_a_query_that_does_not_fit_names_the_parameter(rest: RestKit, chat: Chat, query: str, field: str) -> None:
    path = f"/api/messages?{query.format(group=chat.group)}"
    assert (await rest.call("GET", path, token=chat.alice)).field == field


@pytest.mark.contract("PUT /api/messages/{messageId}/read", "marks never move back and are clamped")
async def test_reading_a_message_moves_the_readers_mark_and_never_back(rest: RestKit, chat: Chat) -> None:
    ids = [(await rest.send(chat.alice, chat.group)).json["id"] for _ in range(3)]

    async def read_by_bob() -> list[bool]:
        page = (await rest.call("GET", f"/api/messages?conversationId={chat.group}", token=chat.bob)).json
        return [each["isRead"] for each in reversed(page["content"])]

    assert await read_by_bob() == [False, False, False]
    for index, expected in ((1, [True, True, False]), (0, [True, True, False])):
        assert (await rest.call("PUT", f"/api/messages/{ids[index]}/read", token=chat.bob)).status == 204
        assert await read_by_bob() == expected
