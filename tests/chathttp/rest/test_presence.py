"""Who may see who is online."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import attrs
import pytest

from actors.presence.ports import Seen
from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest

ONLINE = Seen(online=True, last_seen_at=None)


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest() as kit:
        yield kit


@pytest.mark.contract("GET /api/presence")
async def test_presence_is_told_in_the_order_asked_each_once(rest: RestKit) -> None:
    alice_id, alice = await rest.user("alice")
    bob_id, _ = await rest.user("bob")
    carol_id, _ = await rest.user("carol")
    await rest.group(alice, bob_id, carol_id)
    rest.presence.seen = {bob_id: ONLINE, carol_id: Seen(False, datetime(2026, 11, 23, 20, 1, 2, 345_678, tzinfo=UTC))}
    asked = ",".join(map(str, (carol_id, bob_id, alice_id, carol_id)))
    answer = await rest.call("GET", f"/api/presence?userIds={asked}", token=alice)
    assert answer.status == 200
    assert answer.json == [
        {"userId": str(carol_id), "online": False, "lastSeenAt": "2026-11-23T20:01:02.345Z"},
        {"userId": str(bob_id), "online": True, "lastSeenAt": None},
        {"userId": str(alice_id), "online": False, "lastSeenAt": None},
    ]


@pytest.mark.contract("GET /api/presence")
async def test_strangers_and_who_does_not_exist_are_left_out(rest: RestKit) -> None:
    _, alice = await rest.user("alice")
    bob_id, bob = await rest.user("bob")
    eve_id, _ = await rest.user("eve")
    group = await rest.group(alice, bob_id)
    await rest.group(bob, eve_id)
    rest.presence.seen = {bob_id: ONLINE, eve_id: ONLINE}
    path = f"/api/presence?userIds={eve_id},{bob_id},{uuid4()}"
    assert [each["userId"] for each in (await rest.call("GET", path, token=alice)).json] == [str(bob_id)]
    assert len((await rest.call("GET", path, token=bob)).json) == 2
    await rest.call("DELETE", f"/api/conversations/{group}/participants/{bob_id}", token=alice)
    assert (await rest.call("GET", path, token=alice)).json == []


@pytest.mark.parametrize("query", ["", "?userIds=", "?userIds=bob", f"?userIds={UUID(int=1)},", "?userIds=a&userIds=b"])
async def test_what_are_no_ids_is_refused(rest: RestKit, query: str) -> None:
    _, alice = await rest.user("alice")
    assert (await rest.call("GET", f"/api/presence{query}", token=alice)).field == "userIds"


async def test_more_ids_than_the_limit_are_refused() -> None:
    async with open_rest(attrs.evolve(Settings(), presence_limit=2)) as rest:
        _, alice = await rest.user("alice")
        ids = [str(uuid4()) for _ in range(3)]
        assert (await rest.call("GET", f"/api/presence?userIds={','.join(ids[:2])}", token=alice)).status == 200
        assert (await rest.call("GET", f"/api/presence?userIds={','.join(ids)}", token=alice)).field == "userIds"
        twice = ",".join([*ids[:2], ids[0]])
        assert (await rest.call("GET", f"/api/presence?userIds={twice}", token=alice)).field == "userIds"


async def test_without_a_token_nothing_is_told(rest: RestKit) -> None:
    assert (await rest.call("GET", f"/api/presence?userIds={uuid4()}")).error == "UNAUTHORIZED"
