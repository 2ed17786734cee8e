"""`/api/groups`, and what both families of routes do with roles and sizes. Each test bears the route of its row."""

from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import pytest

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(max_group_size=4)) as kit:
        yield kit


async def create(rest: RestKit, token: str, *members: UUID, **more: object) -> str:
    given = {"name": "Hikers", "memberIds": [str(each) for each in members]} | more
    answer = await rest.call("POST", "/api/groups", given, token=token)
    assert answer.status == 201, answer.body
    return answer.json["id"]


@pytest.mark.contract("POST /api/groups")
async def test_post_groups_opens_a_conversation_of_type_group_with_the_same_id(rest: RestKit) -> None:
    ann, bob = [await rest.user(name) for name in ("Ann", "Bob")]
    group = await create(rest, ann[1], bob[0], ann[0], avatarUrl="https://example.com/a.png")
    read = await rest.call("GET", f"/api/groups/{group}", token=bob[1])
    same = await rest.call("GET", f"/api/conversations/{group}", token=bob[1])
    assert read.json == same.json
    assert (read.json["type"], read.json["name"], read.json["avatarUrl"]) == (
        "GROUP",
        "Hikers",
        "https://example.com/a.png",
    )
    assert {each["userId"]: each["role"] for each in read.json["participants"]} == {
        str(ann[0]): "owner",
        str(bob[0]): "member",
    }
    assert [len(each.bodies) for each in rest.notified] == [2]


async def test_post_groups_refuses_what_is_wrong_naming_the_field(rest: RestKit) -> None:
    ann = await rest.user("Ann")
    others = [(await rest.user(name))[0] for name in "bcde"]
    cases: list[tuple[dict[str, object], str]] = [
        ({"memberIds": []}, "name"),
        ({"name": " ", "memberIds": []}, "name"),
        ({"name": "x"}, "memberIds"),
        ({"name": "x", "memberIds": [str(each) for each in others]}, "memberIds"),
        ({"name": "x", "memberIds": [str(uuid4())]}, "participantIds"),
        ({"name": "x", "memberIds": [], "avatarUrl": "ftp://x"}, "avatarUrl"),
    ]
    for given, field in cases:
        assert (await rest.call("POST", "/api/groups", given, token=ann[1])).field == field


@pytest.mark.contract("GET /api/groups/{groupId}")
async def test_get_groups_knows_strangers_direct_conversations_and_nothing_apart(rest: RestKit) -> None:
    ann, bob, eve = [await rest.user(name) for name in ("Ann", "Bob", "Eve")]
    group = await create(rest, ann[1], bob[0])
    given = {"type": "DIRECT", "participantIds": [str(bob[0])]}
    direct = (await rest.call("POST", "/api/conversations", given, token=ann[1])).json["id"]
    cases = [(group, eve, 403), (direct, eve, 403), (direct, ann, 404), (str(uuid4()), ann, 404)]
    for conversation, user, status in cases:
        assert (await rest.call("GET", f"/api/groups/{conversation}", token=user[1])).status == status


@pytest.mark.contract("PATCH /api/groups/{groupId}")
async def test_patch_groups_changes_name_and_picture(rest: RestKit) -> None:
    ann, bob = [await rest.user(name) for name in ("Ann", "Bob")]
    group = await create(rest, ann[1], bob[0])
    answer = await rest.call("PATCH", f"/api/groups/{group}", {"name": "New"}, token=bob[1])
    assert (answer.status, answer.json["name"], answer.json["rev"]) == (200, "New", 1)


@pytest.mark.contract("POST /api/groups/{groupId}/members", "limit group size")
async def test_post_groups_members_adds_up_to_the_size_of_a_group(rest: RestKit) -> None:
    ann, bob, carl, eve, fay = [await rest.user(name) for name in ("Ann", "Bob", "Carl", "Eve", "Fay")]
    group = await create(rest, ann[1], bob[0])
    path = f"/api/groups/{group}/members"
    added = await rest.call("POST", path, {"userIds": [str(carl[0]), str(eve[0])]}, token=ann[1])
    assert (added.status, len(added.json["participants"])) == (200, 4)
    full = await rest.call("POST", path, {"userIds": [str(fay[0])]}, token=ann[1])
    assert (full.status, full.error) == (409, "CONFLICT")
    assert (await rest.call("POST", path, {"userIds": [str(fay[0])]}, token=bob[1])).status == 403
    assert (await rest.call("POST", path, {"userIds": []}, token=ann[1])).field == "userIds"


@pytest.mark.contract("DELETE /api/groups/{groupId}/members/{userId}")
async def test_delete_groups_members_removes_and_leaves_and_ownership_is_handed_on(rest: RestKit) -> None:
    ann, bob, carl = [await rest.user(name) for name in ("Ann", "Bob", "Carl")]
    group = await create(rest, ann[1], bob[0], carl[0])
    path = f"/api/groups/{group}/members"
    assert (await rest.call("DELETE", f"{path}/{carl[0]}", token=bob[1])).status == 403
    promoted = await rest.call("PATCH", f"{path}/{carl[0]}", {"role": "admin"}, token=ann[1])
    assert promoted.status == 200
    assert (await rest.call("DELETE", f"{path}/{ann[0]}", token=ann[1])).status == 204
    left = await rest.call("GET", f"/api/groups/{group}", token=carl[1])
    assert {each["userId"]: each["role"] for each in left.json["participants"]} == {
        str(bob[0]): "member",
        str(carl[0]): "owner",
    }
    assert (await rest.call("DELETE", f"{path}/{bob[0]}", token=carl[1])).status == 204
    assert (await rest.call("DELETE", f"{path}/{bob[0]}", token=carl[1])).status == 404
    assert (await rest.call("DELETE", f"{path}/{carl[0]}", token=carl[1])).status == 204
    assert (await rest.call("GET", f"/api/groups/{group}", token=carl[1])).status == 404


@pytest.mark.contract(
    "PATCH /api/groups/{groupId}/members/{userId}", "PATCH /api/conversations/{conversationId}/participants/{userId}"
)
@pytest.mark.parametrize("path", ["/api/groups/{}/members/{}", "/api/conversations/{}/participants/{}"])
async def test_patch_of_a_member_changes_his_role_for_the_owner_only(rest: RestKit, path: str) -> None:
    ann, bob, eve = [await rest.user(name) for name in ("Ann", "Bob", "Eve")]
    group = await create(rest, ann[1], bob[0])
    his = path.format(group, bob[0])
    assert (await rest.call("PATCH", his, {"role": "admin"}, token=bob[1])).status == 403
    assert (await rest.call("PATCH", his, {"role": "admin"}, token=eve[1])).status == 403
    assert (await rest.call("PATCH", his, {"role": "king"}, token=ann[1])).field == "role"
    assert (await rest.call("PATCH", path.format(group, eve[0]), {"role": "admin"}, token=ann[1])).status == 404
    assert (await rest.call("PATCH", path.format(group, ann[0]), {"role": "member"}, token=ann[1])).status == 409
    handed = await rest.call("PATCH", his, {"role": "owner"}, token=ann[1])
    assert {each["userId"]: each["role"] for each in handed.json["participants"]} == {
        str(ann[0]): "admin",
        str(bob[0]): "owner",
    }


@pytest.mark.contract("DELETE /api/groups/{groupId}")
async def test_delete_groups_is_for_the_owner_and_for_admins_of_the_server(rest: RestKit) -> None:
    ann, bob = [await rest.user(name) for name in ("Ann", "Bob")]
    _, admin = await rest.user("Adm", ("admins",))
    _, moderator = await rest.user("Mod", ("moderators",))
    for deleter in (ann[1], admin):
        group = await create(rest, ann[1], bob[0])
        message = (await rest.send(bob[1], group)).json["id"]
        for token in (bob[1], moderator):
            assert (await rest.call("DELETE", f"/api/groups/{group}", token=token)).status == 403
        assert (await rest.call("DELETE", f"/api/groups/{group}", token=deleter)).status == 204
        calls = [
            ("GET", f"/api/groups/{group}"),
            ("GET", f"/api/conversations/{group}"),
            ("GET", f"/api/messages?conversationId={group}"),
            ("DELETE", f"/api/messages/{message}"),
            ("DELETE", f"/api/groups/{group}"),
        ]
        for method, path in calls:
            assert (await rest.call(method, path, token=deleter)).status == 404
        assert (await rest.call("GET", "/api/conversations", token=bob[1])).json == []
