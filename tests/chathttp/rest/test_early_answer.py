"""What happens to a body that comes after its answer was made."""

from typing import Any

import trio
from trio.testing import MockClock

from tests.kit.rest import open_rest


async def answer_to(body: list[bytes], *, complete: bool, length: int) -> dict[str, str]:
    """The response headers of a request without a token whose body comes in these parts, if it completes at all."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/messages",
        "raw_path": b"/api/messages",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"content-length", str(length).encode())],
        "client": ("203.0.113.5", 40_000),
        "extensions": {},
    }
    events = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    if complete:
        events.append({"type": "http.request", "body": b"", "more_body": False})
    found: dict[str, str] = {}

    async def receive() -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if not events:
            await trio.sleep_forever()
        return events.pop(0)

    async def send(event: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if event["type"] == "http.response.start":
            found["status"] = str(event["status"])
            found.update({name.decode().lower(): value.decode() for name, value in event["headers"]})

    async with open_rest() as rest:
        app: Any = rest.app
        await app(scope, receive, send)
    return found


async def test_a_body_that_comes_is_taken_and_the_connection_lives_on(autojump_clock: MockClock) -> None:
    headers = await answer_to([b"12", b"34"], complete=True, length=4)
    assert headers["status"] == "401"
    assert "connection" not in headers


async def test_a_body_that_does_not_come_ends_the_connection(autojump_clock: MockClock) -> None:
    headers = await answer_to([b"12"], complete=False, length=4)
    assert (headers["status"], headers["connection"]) == ("401", "close")
    assert trio.current_time() < 10


async def test_a_body_that_is_too_large_ends_the_connection(autojump_clock: MockClock) -> None:
    headers = await answer_to([], complete=False, length=100_000_000)
    assert (headers["status"], headers["connection"]) == ("401", "close")
