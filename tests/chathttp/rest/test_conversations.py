from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import pytest
import trio
import trio.testing

from actors.conversation.messages import MarkRead
from actors.ports import ConversationCursor
from chathttp.rest.conversations import read_cursor, write_cursor
from chathttp.settings import Settings
from tests.kit.rest import Answer, RestKit, open_rest


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(max_group_size=4)) as kit:
        yield kit


async def create(rest: RestKit, token: str, type_: str, *others: UUID, **more: object) -> Answer:
    given = {"type": type_, "participantIds": [str(each) for each in others]} | more
    return await rest.call("POST", "/api/conversations", given, token=token)


@pytest.mark.contract("POST /api/conversations")
async def test_a_pair_has_one_conversation_whoever_asks(rest: RestKit) -> None:
    (alice_id, alice), (bob_id, bob) = await rest.user("alice"), await rest.user("bob")
    first = await create(rest, alice, "DIRECT", bob_id, name="ignored")
    again = await create(rest, bob, "DIRECT", alice_id, bob_id)
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"]
    assert first.json["name"] is None
    assert {each["userId"] for each in first.json["participants"]} == {str(alice_id), str(bob_id)}
    assert len(rest.notified) == 1
    assert {user_id for user_id, _ in rest.notified[0].bodies} == {alice_id, bob_id}
    assert all(b"conversation.created" in body for _, body in rest.notified[0].bodies)


@pytest.mark.contract("POST /api/conversations")
async def test_a_pair_that_is_made_twice_at_once_is_one(rest: RestKit) -> None:
    (alice_id, alice), (bob_id, bob) = await rest.user("alice"), await rest.user("bob")
    answers: list[Answer] = []

    async def one(token: str, other: UUID) -> None:
        answers.append(await create(rest, token, "DIRECT", other))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, alice, bob_id)
        nursery.start_soon(one, bob, alice_id)
    assert sorted(each.status for each in answers) == [200, 201]
    assert len({each.json["id"] for each in answers}) == 1


async def test_what_cannot_be_created_names_the_field(rest: RestKit) -> None:
    alice_id, alice = await rest.user("alice")
    others = [(await rest.user(f"user{number}"))[0] for number in range(4)]
    for type_, ids in [
        ("DIRECT", []),
        ("DIRECT", [alice_id]),
        ("DIRECT", others[:2]),
        ("DIRECT", [uuid4()]),
        ("GROUP", [uuid4()]),
        ("GROUP", others),
    ]:
        assert (await create(rest, alice, type_, *ids)).field == "participantIds"
    assert (await create(rest, alice, "ROOM", *others[:1])).field == "type"
    assert (await create(rest, alice, "GROUP", name=" ")).field == "name"
    assert (await create(rest, alice, "GROUP", avatarUrl="x")).field == "avatarUrl"


@pytest.mark.contract("GET /api/conversations/{conversationId}", "error FORBIDDEN")
async def test_a_conversation_is_for_its_members(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    _, eve = await rest.user("eve")
    group = await rest.group(alice)
    path = f"/api/conversations/{group}"
    assert (await rest.call("GET", path, token=alice)).json["participants"][0]["role"] == "owner"
    for method, given in (("GET", None), ("PATCH", {"name": "x"})):
        answer = await rest.call(method, path, given, token=eve)
        assert (answer.status, answer.error) == (403, "FORBIDDEN")
        answer = await rest.call(method, f"/api/conversations/{uuid4()}", given, token=eve)
        assert (answer.status, answer.error) == (404, "NOT_FOUND")


@pytest.mark.contract("PATCH /api/conversations/{conversationId}")
async def test_name_and_picture_change_one_by_one_and_can_be_removed(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    path = f"/api/conversations/{await rest.group(alice)}"

    async def change(**given: object) -> tuple[str | None, str | None]:
        answer = await rest.call("PATCH", path, given, token=alice)
        assert answer.status == 200, answer.body
        return answer.json["name"], answer.json["avatarUrl"]

    url = "https://a.example/x.png"
    assert await change(avatarUrl=url) == ("Group", url)
    assert await change(name=" New ") == ("New", url)
    assert await change() == ("New", url)
    assert await change(name=None) == (None, url)
    assert await change(name="", avatarUrl="") == (None, None)
    assert (await rest.call("PATCH", path, {"name": "  "}, token=alice)).field == "name"


@pytest.mark.contract("error CONFLICT")
async def test_a_direct_conversation_has_fixed_members(rest: RestKit) -> None:
    (alice_id, alice), (bob_id, _) = await rest.user("alice"), await rest.user("bob")
    carol_id, _ = await rest.user("carol")
    path = f"/api/conversations/{(await create(rest, alice, 'DIRECT', bob_id)).json['id']}/participants"
    added = await rest.call("POST", path, {"userIds": [str(carol_id)]}, token=alice)
    left = await rest.call("DELETE", f"{path}/{alice_id}", token=alice)
    assert (added.error, left.error) == ("CONFLICT", "CONFLICT")


@pytest.mark.contract(
    "POST /api/conversations/{conversationId}/participants",
    "DELETE /api/conversations/{conversationId}/participants/{userId}",
)
async def test_an_owner_adds_and_removes_and_a_member_only_leaves(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    (bob_id, bob), (carol_id, carol) = await rest.user("bob"), await rest.user("carol")
    path = f"/api/conversations/{await rest.group(alice)}/participants"
    added = await rest.call("POST", path, {"userIds": [str(bob_id), str(carol_id), str(bob_id)]}, token=alice)
    assert {each["name"] for each in added.json["participants"]} == {"alice", "bob", "carol"}
    assert (await rest.call("DELETE", f"{path}/{carol_id}", token=bob)).error == "FORBIDDEN"
    assert (await rest.call("POST", path, {"userIds": [str(uuid4())]}, token=bob)).error == "FORBIDDEN"
    assert (await rest.call("DELETE", f"{path}/{carol_id}", token=carol)).status == 204
    assert (await rest.call("DELETE", f"{path}/{carol_id}", token=carol)).error in {"FORBIDDEN", "NOT_FOUND"}
    assert (await rest.call("DELETE", f"{path}/{bob_id}", token=alice)).status == 204


@pytest.mark.contract("limit group size")
async def test_a_group_has_a_largest_size(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    ids = [str((await rest.user(f"user{number}"))[0]) for number in range(5)]
    path = f"/api/conversations/{await rest.group(alice)}/participants"
    assert (await rest.call("POST", path, {"userIds": ids[:4]}, token=alice)).error == "CONFLICT"
    for wrong in (ids, []):
        assert (await rest.call("POST", path, {"userIds": wrong}, token=alice)).field == "userIds"
    assert (await rest.call("POST", path, {"userIds": [str(uuid4())]}, token=alice)).field == "userIds"


@pytest.mark.contract("GET /api/conversations", "header Link")
async def test_the_list_is_walked_page_by_page_latest_activity_first(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    groups: list[str] = []
    for _ in range(5):
        groups.append(await rest.group(alice))
        rest.identity.clock.advance(1)
    await rest.send(alice, groups[0])
    seen: list[str] = []
    path: str | None = "/api/conversations?limit=2"
    while path is not None:
        answer = await rest.call("GET", path, token=alice)
        seen += [each["id"] for each in answer.json]
        link = answer.headers.get("link")
        assert link is None or link.endswith('; rel="next"')
        path = None if link is None else link[1 : link.index(">")]
    assert seen == [groups[0], groups[4], groups[3], groups[2], groups[1]]


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=201", "limit"), ("before=x", "before"), ("before=%C3%A4", "before")],
)
async def test_a_wrong_page_of_the_list_names_the_parameter(rest: RestKit, query: str, field: str) -> None:
    _, alice = await rest.user("alice")
    assert (await rest.call("GET", f"/api/conversations?{query}", token=alice)).field == field


def test_a_cursor_reads_as_it_was_written() -> None:
    cursor = ConversationCursor(1_767_323_045_678_901, uuid4())
    assert read_cursor(write_cursor(cursor)) == cursor


@pytest.mark.contract("PUT /api/conversations/{conversationId}/read", "marks never move back and are clamped")
async def test_a_read_mark_moves_forward_only_and_is_clamped(rest: RestKit) -> None:
    (_, alice), (bob_id, bob) = await rest.user("alice"), await rest.user("bob")
    group = await rest.group(alice, bob_id)
    for _ in range(3):
        await rest.send(alice, group)
    path = f"/api/conversations/{group}"

    async def unread() -> int:
        (listed,) = (await rest.call("GET", "/api/conversations", token=bob)).json
        single = (await rest.call("GET", path, token=bob)).json
        assert listed == single
        return single["unreadCount"]

    assert await unread() == 3
    for seq, left in ((1, 2), (0, 2), (2**40, 0)):
        assert (await rest.call("PUT", f"{path}/read", {"seq": seq}, token=bob)).status == 204
        assert await unread() == left
    assert (await rest.call("PUT", f"{path}/read", {"seq": -1}, token=bob)).field == "seq"
    _, eve = await rest.user("eve")
    assert (await rest.call("PUT", f"{path}/read", {"seq": 1}, token=eve)).error == "FORBIDDEN"
    assert (await rest.call("PUT", f"/api/conversations/{uuid4()}/read", {"seq": 1}, token=eve)).error == "NOT_FOUND"


async def test_a_mark_that_is_not_stored_yet_shows(rest: RestKit) -> None:
    (_, alice), (bob_id, bob) = await rest.user("alice"), await rest.user("bob")
    group = await rest.group(alice, bob_id)
    await rest.send(alice, group)
    actor = rest.conversations.ref(UUID(group))
    done: None = await actor.ask(lambda reply: MarkRead(bob_id, 1, reply, durable=False), timeout=1)
    assert done is None
    stored = await rest.identity.chat.conversations.load(UUID(group))
    assert stored is not None
    assert {each.last_read_seq for each in stored.participants if each.user_id == bob_id} == {0}
    assert (await rest.call("GET", f"/api/conversations/{group}", token=bob)).json["unreadCount"] == 0
    page = (await rest.call("GET", f"/api/messages?conversationId={group}", token=bob)).json
    assert page["content"][0]["isRead"] is True


async def test_a_conversation_that_is_busy_is_read_with_its_stored_marks(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    group = await rest.group(alice)
    await rest.send(alice, group)
    rest.identity.chat.faults.pause("append")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rest.send, alice, group)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(5):
            answer = await rest.call("GET", f"/api/conversations/{group}", token=alice)
        rest.identity.chat.faults.resume("append")
    assert (answer.status, answer.json["lastSeq"], answer.json["unreadCount"]) == (200, 1, 0)
