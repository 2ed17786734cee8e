"""Blocks, mutes and reports. Each test bears the route of its row."""

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(max_blocks=2)) as kit:
        yield kit


@pytest.mark.contract(
    "PUT /api/users/me/blocks/{userId}", "DELETE /api/users/me/blocks/{userId}", "GET /api/users/me/blocks"
)
async def test_put_and_delete_blocks_close_and_open_the_direct_conversation_for_the_blocked(rest: RestKit) -> None:
    ann, bob = [await rest.user(name) for name in ("Ann", "Bob")]
    to_ann, to_bob = ({"type": "DIRECT", "participantIds": [str(each[0])]} for each in (ann, bob))
    direct = (await rest.call("POST", "/api/conversations", to_bob, token=ann[1])).json["id"]
    said = (await rest.send(bob[1], direct)).json["id"]
    for _ in range(2):
        assert (await rest.call("PUT", f"/api/users/me/blocks/{bob[0]}", token=ann[1])).status == 204
    assert (await rest.call("GET", "/api/users/me/blocks", token=ann[1])).json == {"userIds": [str(bob[0])]}
    refused = [
        await rest.call("POST", "/api/conversations", to_ann, token=bob[1]),
        await rest.send(bob[1], direct),
        await rest.call("PATCH", f"/api/messages/{said}", {"text": "other"}, token=bob[1]),
        await rest.call("PUT", f"/api/messages/{said}/reactions/%F0%9F%91%8D", token=bob[1]),
    ]
    assert [(each.status, each.error) for each in refused] == [(403, "FORBIDDEN")] * 4
    assert (await rest.send(ann[1], direct)).status == 201
    assert (await rest.call("GET", f"/api/conversations/{direct}", token=bob[1])).status == 200
    for _ in range(2):
        assert (await rest.call("DELETE", f"/api/users/me/blocks/{bob[0]}", token=ann[1])).status == 204
    assert (await rest.send(bob[1], direct)).status == 201


async def test_put_blocks_refuses_oneself_nobody_and_too_many(rest: RestKit) -> None:
    ann, bob, carl, eve = [await rest.user(name) for name in ("Ann", "Bob", "Carl", "Eve")]
    assert (await rest.call("PUT", f"/api/users/me/blocks/{ann[0]}", token=ann[1])).field == "userId"
    assert (await rest.call("PUT", f"/api/users/me/blocks/{uuid4()}", token=ann[1])).status == 404
    statuses = [
        (await rest.call("PUT", f"/api/users/me/blocks/{each[0]}", token=ann[1])).status for each in (bob, carl, eve)
    ]
    assert statuses == [204, 204, 409]


@pytest.mark.contract("PUT /api/conversations/{conversationId}/mute")
async def test_put_conversations_mute_is_stored_for_members(rest: RestKit) -> None:
    ann, eve = [await rest.user(name) for name in ("Ann", "Eve")]
    group = await rest.group(ann[1])
    path = f"/api/conversations/{group}/mute"
    muted = rest.identity.chat.state.rooms[next(iter(rest.identity.chat.state.rooms))].muted
    assert (await rest.call("PUT", path, {"until": "2100-01-01T01:00:00+01:00"}, token=ann[1])).status == 204
    assert [time.isoformat() for time in muted.values()] == ["2100-01-01T00:00:00+00:00"]
    assert (await rest.call("PUT", path, {"until": None}, token=ann[1])).status == 204
    assert muted == {}
    for until in ("soon", "2100-01-01T00:00:00", 5, "0001-01-01T00:00:00+23:00"):
        assert (await rest.call("PUT", path, {"until": until}, token=ann[1])).field == "until"
    assert (await rest.call("PUT", path, {}, token=ann[1])).field == "until"
    assert (await rest.call("PUT", path, {"until": None}, token=eve[1])).status == 403
    nowhere = f"/api/conversations/{uuid4()}/mute"
    assert (await rest.call("PUT", nowhere, {"until": None}, token=ann[1])).status == 404


@pytest.mark.contract("POST /api/reports", "GET /api/admin/reports")
async def test_post_reports_go_to_the_admins_and_to_nobody_else(rest: RestKit) -> None:
    ann, bob, eve = [await rest.user(name) for name in ("Ann", "Bob", "Eve")]
    _, admin = await rest.user("Adm", ("admins",))
    group = await rest.group(ann[1], bob[0])
    messages = [(await rest.send(ann[1], group, text)).json["id"] for text in ("rude", "ruder", "rudest")]
    given = {"messageId": messages[0], "reason": " spam "}
    for message in messages:
        given["messageId"] = message
        made = await rest.call("POST", "/api/reports", given, token=bob[1])
        assert (made.status, made.json["reason"], made.json["senderId"]) == (201, "spam", str(ann[0]))
        again = await rest.call("POST", "/api/reports", given | {"reason": "more"}, token=bob[1])
        assert (again.status, again.json) == (200, made.json)
    assert (await rest.call("POST", "/api/reports", given, token=eve[1])).status == 403
    unknown = given | {"messageId": str(uuid4())}
    assert (await rest.call("POST", "/api/reports", unknown, token=bob[1])).status == 404
    for reason in ("", " ", "x" * 1001):
        assert (await rest.call("POST", "/api/reports", given | {"reason": reason}, token=bob[1])).field == "reason"
    seen: list[str] = []
    path = "/api/admin/reports?limit=2"
    while path:
        page = await rest.call("GET", path, token=admin)
        seen += [each["text"] for each in page.json]
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert sorted(seen) == ["rude", "ruder", "rudest"]
    assert (await rest.call("GET", "/api/admin/reports", token=bob[1])).status == 403
