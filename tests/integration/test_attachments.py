"""Files through a running `stackmentor dev`: up, into messages on every way, and down."""

import json
import os
import socket
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.kit.api import Api
from tests.kit.devserver import DevServer
from tests.kit.stomp_client import stomp_client

MEGABYTE = 1_000_000
LARGE = 200 * MEGABYTE
ALLOWED_GROWTH = 24 * MEGABYTE
PIECE = bytes(range(250)) * 4000


@pytest.fixture
def alice(dev_server: DevServer) -> Generator[Api]:
    with Api(dev_server.url) as api:
        yield api.sign_in("alice@example.com")


@pytest.fixture
def bob(dev_server: DevServer) -> Generator[Api]:
    with Api(dev_server.url) as api:
        yield api.sign_in("bob@example.com")


def promise(api: Api, size: int, content_type: str = "image/png") -> dict[str, str]:
    given = {"fileName": "cat.png", "contentType": content_type, "size": size}
    answer = api.call("POST", "/api/attachments", given)
    assert answer.status_code == 201, answer.text
    return answer.json()


def put(url: str, data: bytes | Iterator[bytes], size: int, content_type: str = "image/png") -> httpx.Response:
    headers = {"Content-Type": content_type, "Content-Length": str(size)}
    return httpx.put(url, content=data, headers=headers, timeout=60)


def upload(api: Api, data: bytes) -> str:
    promised = promise(api, len(data))
    assert put(promised["uploadUrl"], data, len(data)).status_code == 200
    return promised["attachmentId"]


def incoming(server: DevServer) -> list[Path]:
    return list((server.data_dir / "attachments" / "incoming").iterdir())


def direct(alice: Api, bob: Api) -> str:
    other = bob.get("/api/users/me")["id"]
    return alice.call("POST", "/api/conversations", {"type": "DIRECT", "participantIds": [other]}).json()["id"]


async def test_a_file_comes_live_and_by_replay_and_by_history(dev_server: DevServer, alice: Api, bob: Api) -> None:
    room, one, two = direct(alice, bob), upload(alice, PIECE[:700]), upload(alice, b"x")
    topic = f"/topic/conversation.{room}"
    body = {"conversationId": room, "text": "", "attachmentIds": [two, one], "clientMessageId": "files"}
    ws_url = dev_server.ws_url
    async with stomp_client(ws_url, alice.access_token) as sender, stomp_client(ws_url, bob.access_token) as reader:
        await reader.subscribe(topic)
        headers = {"destination": "/app/message.send", "receipt": "r", "content-type": "application/json"}
        await sender.send("SEND", headers, json.dumps(body).encode())
        seq = (await sender.expect("RECEIPT")).header("seq")
        await sender.send("SEND", headers, json.dumps(body).encode())
        assert (await sender.expect("RECEIPT")).header("seq") == seq
        live = await reader.expect("MESSAGE")
        await reader.subscribe(topic, "again", last_seq=str(int(seq or "") - 1))
        replayed = await reader.expect("MESSAGE")
        refused = {**body, "clientMessageId": "other"}
        await sender.subscribe("/user/queue/errors", "errors")
        await sender.send("SEND", headers, json.dumps(refused).encode())
        error = await sender.expect("MESSAGE")
    urls = [f"/api/attachments/{each}" for each in (two, one)]
    assert [json.loads(each.body)["attachmentUrls"] for each in (live, replayed)] == [urls, urls]
    assert (json.loads(error.body)["errorCode"], list(json.loads(error.body)["details"])) == (
        "VALIDATION_ERROR",
        ["attachmentIds"],
    )
    page = bob.get(f"/api/messages?conversationId={room}&size=1")
    assert page["content"][0]["attachmentUrls"] == urls
    found = bob.call("GET", f"{urls[1]}?redirect=1")
    assert found.status_code == 302
    async with httpx.AsyncClient() as http:
        got = await http.get(found.headers["Location"])
        head = await http.head(found.headers["Location"])
        part = await http.get(found.headers["Location"], headers={"Range": "bytes=100-199"})
    assert (got.content, got.headers["Content-Type"]) == (PIECE[:700], "image/png")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "700", b"")
    assert (part.status_code, part.content) == (206, PIECE[100:200])


def test_a_large_file_goes_up_and_down_in_little_memory(dev_server: DevServer, alice: Api) -> None:
    upload(alice, b"warm")
    before = _peak(dev_server.pid, reset=True)
    promised = promise(alice, LARGE, "video/mp4")
    pieces = (PIECE for _ in range(LARGE // len(PIECE)))
    assert put(promised["uploadUrl"], pieces, LARGE, "video/mp4").status_code == 200
    url = alice.get(f"/api/attachments/{promised['attachmentId']}")["downloadUrl"]
    received = 0
    with httpx.stream("GET", url, timeout=60) as answer:
        assert answer.headers["Content-Length"] == str(LARGE)
        for chunk in answer.iter_raw(1_000_000):
            offset = received % len(PIECE)
            assert chunk == (PIECE + PIECE)[offset : offset + len(chunk)]
            received += len(chunk)
    assert received == LARGE
    assert _peak(dev_server.pid) - before < ALLOWED_GROWTH


def test_an_upload_that_is_refused_is_told_so_whatever_comes(alice: Api) -> None:
    url = promise(alice, 20 * MEGABYTE)["uploadUrl"]
    answer = put(url + "x", (PIECE for _ in range(20)), 20 * MEGABYTE)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "FORBIDDEN")
    assert put(url, (PIECE for _ in range(20)), 20 * MEGABYTE).status_code == 200


def test_an_upload_that_breaks_off_leaves_nothing_and_can_be_made_again(dev_server: DevServer, alice: Api) -> None:
    promised = promise(alice, len(PIECE))
    upload_url: str = promised["uploadUrl"]
    url = urlsplit(upload_url)
    assert url.hostname is not None
    assert url.port is not None
    head = (
        f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(PIECE)}\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port)) as broken:
        broken.sendall(head.encode() + PIECE[:-1])
        _wait_until(lambda: len(incoming(dev_server)) == 1)
    _wait_until(lambda: not incoming(dev_server))
    assert alice.call("GET", f"/api/attachments/{promised['attachmentId']}").status_code == 404
    assert put(promised["uploadUrl"], PIECE, len(PIECE)).status_code == 200


def test_a_reader_who_stops_is_waited_for_and_frees_his_place_when_he_leaves(dev_server: DevServer, alice: Api) -> None:
    size = 60 * MEGABYTE
    promised = promise(alice, size, "video/mp4")
    assert put(promised["uploadUrl"], (PIECE for _ in range(60)), size, "video/mp4").status_code == 200
    url: str = alice.get(f"/api/attachments/{promised['attachmentId']}")["downloadUrl"]
    key = urlsplit(url).path.rpartition("/")[2]
    before = _peak(dev_server.pid, reset=True)
    with httpx.stream("GET", url) as answer:
        pieces = answer.iter_raw(1000)
        next(pieces)
        alice.get("/api/users/me")
        assert _opened(dev_server.pid, key)
        assert _peak(dev_server.pid) - before < ALLOWED_GROWTH
    _wait_until(lambda: not _opened(dev_server.pid, key))


def _peak(pid: int, *, reset: bool = False) -> int:
    """Bytes of memory that the process has had at most since the last reset."""
    if reset:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _opened(pid: int, name: str) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).endswith(name):
                return True
        except FileNotFoundError:
            continue
    return False


def _wait_until(condition: Callable[[], bool], patience: float = 10.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
