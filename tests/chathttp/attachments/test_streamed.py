"""Bodies that are read no faster than they are used, and uploads that stall."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatcore.errors import ChatError
from chathttp.attachments.streamed import WINDOW, StreamedBody
from chathttp.attachments.transfers import Transfers
from tests.kit.rest import open_rest


async def test_pieces_come_in_order_and_then_the_end() -> None:
    body = StreamedBody()
    body.append(b"one")
    body.append(b"two")
    assert await anext(body) == b"onetwo"
    body.append(b"three")
    body.set_complete()
    assert [piece async for piece in body] == [b"three"]


async def test_more_than_the_window_is_not_taken_before_there_is_room(autojump_clock: MockClock) -> None:
    body, taken = StreamedBody(), trio.Event()

    async def feed() -> None:
        body.append(bytes(WINDOW))
        await body.wait_room()
        taken.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        await wait_all_tasks_blocked()
        assert not taken.is_set()
        assert len(await anext(body)) == WINDOW
        await taken.wait()


async def test_a_piece_that_does_not_come_is_waited_for_no_longer_than_set(autojump_clock: MockClock) -> None:
    body = StreamedBody()
    body.stall_timeout = 5.0
    with pytest.raises(ChatError):
        await anext(body)
    assert trio.current_time() == 5.0


async def test_the_rest_of_a_body_is_waited_for_and_dropped(autojump_clock: MockClock) -> None:
    body = StreamedBody()

    async def feed() -> None:
        for _ in range(5):
            body.append(bytes(WINDOW))
            await body.wait_room()
        body.set_complete()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        await body.drop_rest()
    assert [piece async for piece in body] == []


@pytest.mark.parametrize("pause", [1000.0, 2.0], ids=["that stalls", "that trickles"])
async def test_an_upload_ends_by_its_deadlines_and_frees_its_place(tmp_path: Path, pause: float) -> None:
    """In real time, since the disk's threads are no work to a mock clock."""
    scale = 100.0
    transfers = Transfers(1, time=6.0 / scale, stall_timeout=4.0 / scale)
    found: dict[str, Any] = {}
    async with open_rest(directory=tmp_path, transfers=transfers) as rest:
        _, token = await rest.user("ann")
        given = {"fileName": "a", "contentType": "image/png", "size": 1000}
        url: str = (await rest.call("POST", "/api/attachments", given, token=token)).json["uploadUrl"]
        path, _, query = url[url.index("/files/") :].partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "PUT",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"x"), (b"content-length", b"1000"), (b"content-type", b"image/png")],
            "client": ("203.0.113.5", 40_000),
            "extensions": {},
        }

        async def receive() -> dict[str, Any]:
            await trio.sleep(pause / scale)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(event: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()
            if event["type"] == "http.response.start":
                found["status"] = event["status"]
                found.update({name.decode().lower(): value.decode() for name, value in event["headers"]})

        app: Any = rest.app
        await app(scope, receive, send)
    assert (found["status"], found["connection"]) == (400, "close")
    assert transfers.active == 0
    assert list((tmp_path / "incoming").iterdir()) == []
