"""`GET /api/users/me/export` and `DELETE /api/users/me`."""

from pathlib import Path
from uuid import UUID

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from chathttp.settings import Settings
from tests.kit.chat import chat_over
from tests.kit.rest import open_rest

EXPORT, ME = "/api/users/me/export", "/api/users/me"


@pytest.mark.contract("GET /api/users/me/export")
@pytest.mark.contract("GET /api/users/me/export", "header Content-Disposition")
async def test_get_users_me_export_has_all_about_the_caller() -> None:
    async with open_rest() as kit:
        ann, ann_token = await kit.user("ann")
        bob, bob_token = await kit.user("bob")
        room = await kit.group(ann_token, bob)
        left = await kit.group(ann_token, bob)
        said = (await kit.send(bob_token, room, "hello")).json
        gone = (await kit.send(bob_token, room, "oops")).json
        await kit.call("DELETE", f"/api/messages/{gone['id']}", token=bob_token)
        told = (await kit.send(ann_token, room, "hi @bob, see ann@example.com")).json
        await kit.send(ann_token, room, "@bobby is somebody else")
        elsewhere = (await kit.send(bob_token, left, "bye")).json
        await kit.call("PUT", f"/api/messages/{told['id']}/reactions/👍", token=bob_token)
        await kit.call("DELETE", f"/api/conversations/{left}/participants/{bob}", token=bob_token)
        await kit.send(ann_token, left, "he is gone, @bob")
        await kit.call("PUT", f"/api/users/me/blocks/{ann}", token=bob_token)
        await kit.call("PUT", f"/api/conversations/{room}/mute", {"until": "2030-01-01T00:00:00Z"}, token=bob_token)
        await kit.call("POST", "/api/reports", {"messageId": told["id"], "reason": "spam"}, token=bob_token)
        answer = await kit.call("GET", EXPORT, token=bob_token, headers={"X-Request-ID": "mine"})
    found = answer.json
    assert answer.status == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="export.json"'
    assert (found["version"], found["profile"]["id"], found["profile"]["email"]) == (1, str(bob), "bob@example.com")
    stands = {each["conversationId"]: each for each in found["conversations"]}
    assert {room, left} == set(stands)
    assert (stands[room]["role"], stands[room]["mutedUntil"]) == ("member", "2030-01-01T00:00:00.000Z")
    assert (stands[left]["role"], stands[left]["joinedAt"]) == (None, None)
    texts = {each["id"]: (each["text"], each["deletedAt"] is None) for each in found["messages"]}
    assert texts == {said["id"]: ("hello", True), gone["id"]: ("", False), elsewhere["id"]: ("bye", True)}
    assert [each["messageId"] for each in found["mentions"]] == [told["id"]]
    assert [(each["messageId"], each["emoji"]) for each in found["reactions"]] == [(told["id"], "👍")]
    assert found["blockedUserIds"] == [str(ann)]
    assert [(each["messageId"], each["reason"]) for each in found["reports"]] == [(told["id"], "spam")]
    assert [(each["action"], each["address"], each["requestId"]) for each in found["audit"]] == [
        ("export", "203.0.113.5", "mine")
    ]


async def test_an_export_of_many_messages_has_each_once() -> None:
    async with open_rest(Settings(send_burst=10_000)) as kit:
        ann, token = await kit.user("ann")
        rooms = [UUID(await kit.group(token)) for _ in range(3)]
        over = chat_over(kit.identity.chat)
        for room in rooms:
            await over.say(room, ann, *(f"{number}" for number in range(250)))
        found = (await kit.call("GET", EXPORT, token=token)).json
    assert sorted((each["conversationId"], each["seq"]) for each in found["messages"]) == sorted(
        (str(room), seq) for room in rooms for seq in range(1, 251)
    )


async def test_an_export_links_to_the_callers_own_files(tmp_path: Path) -> None:
    async with open_rest(directory=tmp_path) as kit:
        _, token = await kit.user("ann")
        given = {"fileName": "cat.png", "contentType": "image/png", "size": 3}
        promised = (await kit.call("POST", "/api/attachments", given, token=token)).json
        path = promised["uploadUrl"].partition("/files/")[2]
        headers = {"Content-Type": "image/png", "Content-Length": "3"}
        put = await kit.call("PUT", f"/files/{path}", data=b"cat", headers=headers)
        assert put.status == 200
        room = await kit.group(token)
        assert (await kit.send(token, room, "", attachmentIds=[promised["attachmentId"]])).status == 201
        await kit.call("POST", "/api/attachments", given, token=token)
        found = (await kit.call("GET", EXPORT, token=token)).json["attachments"]
        (url,) = [each["downloadUrl"] for each in found if each["id"] == promised["attachmentId"]]
        assert [each["downloadUrl"] for each in found if each["id"] != promised["attachmentId"]] == [None]
        got = await kit.call("GET", f"/files/{url.partition('/files/')[2]}")
    assert (got.status, got.body) == (200, b"cat")


async def test_of_a_users_exports_there_is_one_at_a_time_and_a_pause_after_it() -> None:
    async with open_rest() as kit:
        (_, ann), (_, bob) = await kit.user("ann"), await kit.user("bob")
        kit.identity.chat.faults.pause("export_reactions")
        statuses: list[int] = []

        async def export() -> None:
            statuses.append((await kit.call("GET", EXPORT, token=ann)).status)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(export)
            await wait_all_tasks_blocked(0.05)
            second = await kit.call("GET", EXPORT, token=ann)
            assert (second.status, second.error) == (429, "RATE_LIMITED")
            assert int(second.headers["retry-after"]) >= 1
            kit.identity.chat.faults.resume("export_reactions")
        assert statuses == [200]
        assert (await kit.call("GET", EXPORT, token=ann)).status == 429
        assert (await kit.call("GET", EXPORT, token=bob)).status == 200
        kit.identity.clock.advance(61)
        assert (await kit.call("GET", EXPORT, token=ann)).status == 200


async def test_a_node_writes_so_many_exports_at_once() -> None:
    async with open_rest(Settings(export_limit=1)) as kit:
        (_, ann), (_, bob) = await kit.user("ann"), await kit.user("bob")
        kit.identity.chat.faults.pause("export_reactions")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: kit.call("GET", EXPORT, token=ann))
            await wait_all_tasks_blocked(0.05)
            refused = await kit.call("GET", EXPORT, token=bob)
            kit.identity.chat.faults.resume("export_reactions")
        assert (refused.status, refused.error) == (503, "OVERLOADED")
        assert (await kit.call("GET", EXPORT, token=bob)).status == 200


@pytest.mark.contract("DELETE /api/users/me")
@pytest.mark.contract("DELETE /api/users/me")
@pytest.mark.parametrize("tombstones", [False, True])
async def test_delete_users_me_anonymises_the_account(tombstones: bool) -> None:
    async with open_rest(Settings(erasure_tombstones=tombstones)) as kit:
        ann, ann_token = await kit.user("ann")
        bob, bob_token = await kit.user("bob")
        group = await kit.group(bob_token, ann)
        pair = (
            await kit.call(
                "POST", "/api/conversations", {"type": "DIRECT", "participantIds": [str(ann)]}, token=bob_token
            )
        ).json["id"]
        said = [(await kit.send(bob_token, room, "I was here")).json["id"] for room in (group, pair)]
        await kit.send(ann_token, pair, "so was I, @bob")
        answer = await kit.call("DELETE", ME, token=bob_token)
        assert answer.status == 204
        assert (await kit.call("GET", ME, token=bob_token)).error == "UNAUTHORIZED"
        assert (await kit.call("DELETE", ME, token=bob_token)).status == 401
        await wait_all_tasks_blocked(0.2)
        assert await kit.identity.chat.erasures.waiting() == 0
        seen = (await kit.call("GET", f"/api/users/{bob}", token=ann_token)).json
        assert (seen["name"], seen["profilePictureUrl"]) == ("Deleted user", None)
        assert (await kit.call("GET", "/api/users?search=deleted", token=ann_token)).json["content"] == []
        assert (await kit.call("GET", "/api/users", token=ann_token)).json["totalElements"] == 1
        left = (await kit.call("GET", f"/api/conversations/{group}", token=ann_token)).json
        assert [(each["userId"], each["role"]) for each in left["participants"]] == [(str(ann), "owner")]
        kept = (await kit.call("GET", f"/api/conversations/{pair}", token=ann_token)).json
        assert {each["name"] for each in kept["participants"]} == {"ann", "Deleted user"}
        for room, message_id in zip((group, pair), said, strict=True):
            page = (await kit.call("GET", f"/api/messages?conversationId={room}", token=ann_token)).json["content"]
            (mine,) = [each for each in page if each["id"] == message_id]
            assert mine["senderName"] == "Deleted user"
            assert (mine["text"], mine["deletedAt"] is None) == (("", False) if tombstones else ("I was here", True))
        assert (await kit.send(ann_token, pair, "still here?")).status == 201
        for path, given in (
            ("/api/conversations", {"type": "DIRECT", "participantIds": [str(bob)]}),
            (f"/api/conversations/{group}/participants", {"userIds": [str(bob)]}),
        ):
            refused = await kit.call("POST", path, given, token=ann_token)
            assert (refused.status, refused.error) == (400, "VALIDATION_ERROR")
        login = await kit.call("POST", "/auth/login", {"email": "bob@example.com", "password": "Passw0rd!"})
        assert login.status == 401
        again = {"email": "bob@example.com", "password": "Passw0rd!", "name": "bob"}
        assert (await kit.call("POST", "/auth/signup", again)).status == 201


async def test_without_a_token_nobody_is_exported_or_erased() -> None:
    async with open_rest() as kit:
        assert (await kit.call("GET", EXPORT)).status == 401
        assert (await kit.call("DELETE", ME)).status == 401
