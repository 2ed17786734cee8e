"""`PUT` and `DELETE /api/messages/{id}/reactions/{emoji}`."""

from collections.abc import AsyncGenerator
from urllib.parse import quote
from uuid import uuid4

import pytest

from chathttp.settings import Settings
from tests.kit.rest import RestKit, open_rest

THUMB, FAMILY = "👍", "👨‍👩‍👧‍👦"


@pytest.fixture
async def rest() -> AsyncGenerator[RestKit]:
    async with open_rest(Settings(send_burst=1000)) as kit:
        yield kit


def path(message_id: str, emoji: str) -> str:
    return f"/api/messages/{message_id}/reactions/{quote(emoji, safe='')}"


@pytest.mark.contract(
    "PUT /api/messages/{messageId}/reactions/{emoji}", "DELETE /api/messages/{messageId}/reactions/{emoji}"
)
async def test_put_reactions_shows_in_the_message_and_delete_takes_it_back(rest: RestKit) -> None:
    ann, bob = [await rest.user(name) for name in ("Ann", "Bob")]
    group = await rest.group(ann[1], bob[0])
    message = (await rest.send(ann[1], group)).json["id"]
    for emoji, token in ((FAMILY, bob[1]), (THUMB, ann[1]), (THUMB, bob[1]), (THUMB, bob[1])):
        assert (await rest.call("PUT", path(message, emoji), token=token)).status == 204

    async def shown() -> list[object]:
        history = await rest.call("GET", f"/api/messages?conversationId={group}", token=ann[1])
        listed = await rest.call("GET", "/api/conversations", token=ann[1])
        assert history.json["content"][0]["reactions"] == listed.json[0]["lastMessage"]["reactions"]
        return history.json["content"][0]["reactions"]

    assert await shown() == [
        {"emoji": FAMILY, "count": 1, "userIds": [str(bob[0])]},
        {"emoji": THUMB, "count": 2, "userIds": [str(ann[0]), str(bob[0])]},
    ]
    for emoji in (FAMILY, FAMILY, "🎉"):
        assert (await rest.call("DELETE", path(message, emoji), token=bob[1])).status == 204
    assert await shown() == [{"emoji": THUMB, "count": 2, "userIds": [str(ann[0]), str(bob[0])]}]


async def test_reactions_are_refused_for_strangers_for_what_is_no_emoji_and_for_tombstones(rest: RestKit) -> None:
    ann, eve = [await rest.user(name) for name in ("Ann", "Eve")]
    group = await rest.group(ann[1])
    message = (await rest.send(ann[1], group)).json["id"]
    for method in ("PUT", "DELETE"):
        for emoji in ("a", "👍👍", "\ufffd", "x" * 100):
            assert (await rest.call(method, path(message, emoji), token=ann[1])).field == "emoji"
        assert (await rest.call(method, path(message, THUMB), token=eve[1])).status == 403
        assert (await rest.call(method, path(str(uuid4()), THUMB), token=ann[1])).status == 404
        assert (await rest.call(method, path(message, THUMB))).status == 401
    await rest.call("DELETE", f"/api/messages/{message}", token=ann[1])
    assert (await rest.call("PUT", path(message, THUMB), token=ann[1])).status == 409


async def test_a_message_bears_twenty_emojis_and_reactions_count_for_the_rate(rest: RestKit) -> None:
    ann = await rest.user("Ann")
    group = await rest.group(ann[1])
    message = (await rest.send(ann[1], group)).json["id"]
    statuses = [(await rest.call("PUT", path(message, chr(0x1F600 + n)), token=ann[1])).status for n in range(21)]
    assert statuses == [204] * 20 + [409]


async def test_reactions_over_the_rate_are_refused() -> None:
    async with open_rest(Settings(send_burst=1, send_rate=0.001)) as rest:
        ann = await rest.user("Ann")
        message = str(uuid4())
        assert (await rest.call("PUT", path(message, THUMB), token=ann[1])).status == 404
        refused = await rest.call("PUT", path(message, THUMB), token=ann[1])
        assert (refused.status, refused.error) == (429, "RATE_LIMITED")
        assert int(refused.headers["retry-after"]) >= 1
