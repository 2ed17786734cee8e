"""The contract of `ObjectStore`: in memory, on disk behind our own routes, and in S3 as moto speaks it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import trio
from attrs import frozen
from quart_trio import QuartTrio

from actors.adapters.disk.objects import DiskObjects
from actors.adapters.memory.objects import MemoryObjects
from actors.adapters.s3.client import connect
from actors.adapters.s3.location import S3Location
from actors.adapters.s3.objects import S3Objects
from actors.attachments.ports import ObjectStore, Terms
from chatcore.errors import ChatError, ErrorCode
from chathttp.attachments.files import stored_files_blueprint
from chathttp.attachments.streamed import StreamingConnection
from chathttp.attachments.transfers import ServedFiles, Transfers
from chathttp.rest.common import install
from chathttp.settings import Settings
from tests.kit.moto import s3_bucket

PNG = Terms("image/png", 300)
DATA = bytes(range(250)) + bytes(50)
KEY = "key-of-an-object"

Got = tuple[bytes, str, str]
"""Bytes, `Content-Type` and `Content-Disposition`."""


@frozen
class Objects:
    """The store, and what a client does with its URLs. `put` tells whether the upload was taken."""

    store: ObjectStore
    put: Callable[[str, dict[str, str], bytes], Awaitable[bool]]
    get: Callable[[str], Awaitable[Got | None]]

    async def fill(self, key: str = KEY, terms: Terms = PNG, data: bytes = DATA) -> None:
        signed = await self.store.sign_upload(key, terms, 300.0)
        assert await self.put(signed.url, dict(signed.headers), data)

    async def content(self, key: str = KEY) -> Got | None:
        return await self.get(await self.store.sign_download(key, "a b.png", "image/png", 300.0))


def in_memory() -> Objects:
    store = MemoryObjects()

    async def put(url: str, headers: dict[str, str], data: bytes) -> bool:
        await trio.lowlevel.checkpoint()
        return store.put(url, data, headers["Content-Type"])

    async def get(url: str) -> Got | None:
        await trio.lowlevel.checkpoint()
        return store.get(url)

    return Objects(store, put, get)


def on_disk(directory: Path) -> Objects:
    store = DiskObjects(directory)
    app = QuartTrio(__name__, static_folder=None)
    app.asgi_http_class = StreamingConnection
    install(app, Settings())
    app.register_blueprint(stored_files_blueprint(ServedFiles(store, Transfers(9, 60.0, 5.0))))

    async def put(url: str, headers: dict[str, str], data: bytes) -> bool:
        client: Any = app.test_client()
        answer = await client.put(url, headers={**headers, "Content-Length": str(len(data))}, data=data)
        return answer.status_code == 200

    async def get(url: str) -> Got | None:
        client: Any = app.test_client()
        answer = await client.get(url)
        if answer.status_code != 200:
            return None
        return await answer.get_data(), answer.headers["Content-Type"], answer.headers["Content-Disposition"]

    return Objects(store, put, get)


def in_s3(endpoint: str) -> Objects:
    location = S3Location("files", "some/prefix/", "eu-west-1", endpoint)
    http = httpx.AsyncClient()

    async def put(url: str, headers: dict[str, str], data: bytes) -> bool:
        return (await http.put(url, content=data, headers=headers)).status_code == 200

    async def get(url: str) -> Got | None:
        answer = await http.get(url)
        if answer.status_code != 200:
            return None
        return answer.content, answer.headers["Content-Type"], answer.headers["Content-Disposition"]

    return Objects(S3Objects(connect(location)), put, get)


@pytest.fixture(scope="module")
def endpoint() -> Generator[str]:
    with s3_bucket("files") as url:
        yield url


@pytest.fixture(params=["memory", "disk", "s3"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def objects(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Objects]:
    match kind:
        case "memory":
            yield in_memory()
        case "disk":
            yield on_disk(tmp_path)
        case _:
            found = in_s3(request.getfixturevalue("endpoint"))
            yield found
            await found.store.delete([KEY, "another-key-of-one"])


async def test_what_was_put_is_held_and_had_as_a_download_of_that_name(objects: Objects) -> None:
    assert not await objects.store.holds(KEY, PNG)
    assert await objects.content() is None
    await objects.fill()
    assert await objects.store.holds(KEY, PNG)
    assert await objects.content() == (
        DATA,
        "image/png",
        "attachment; filename=\"a b.png\"; filename*=UTF-8''a%20b.png",
    )


async def test_another_size_than_promised_is_not_held(objects: Objects) -> None:
    await objects.fill()
    assert not await objects.store.holds(KEY, Terms("image/png", 299))


async def test_what_got_into_s3_with_another_type_is_not_held(endpoint: str) -> None:
    objects = in_s3(endpoint)
    signed = await objects.store.sign_upload("of-another-type", PNG, 300.0)
    assert await objects.put(signed.url, {**signed.headers, "Content-Type": "text/html"}, DATA)
    assert not await objects.store.holds("of-another-type", PNG)


async def test_what_was_put_is_not_replaced(objects: Objects) -> None:
    await objects.fill()
    again = await objects.store.sign_upload(KEY, PNG, 300.0)
    assert not await objects.put(again.url, dict(again.headers), DATA[::-1])
    found = await objects.content()
    assert found is not None
    assert found[0] == DATA


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(objects: Objects) -> None:
    await objects.fill()
    await objects.fill("another-key-of-one")
    await objects.store.delete([KEY, "never-was-there-at-all"])
    await objects.store.delete([KEY])
    assert not await objects.store.holds(KEY, PNG)
    assert await objects.content() is None
    assert await objects.store.holds("another-key-of-one", PNG)


async def test_tidying_leaves_what_is_whole(objects: Objects) -> None:
    await objects.fill()
    await objects.store.tidy(0.0)
    assert await objects.store.holds(KEY, PNG)


async def test_a_signature_for_s3_binds_size_type_newness_and_time(endpoint: str) -> None:
    store = in_s3(endpoint).store
    signed = await store.sign_upload(KEY, PNG, 299.5)
    url, query = urlsplit(signed.url), parse_qs(urlsplit(signed.url).query)
    assert url.path == f"/files/some/prefix/{KEY}"
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;if-none-match"]
    assert query["X-Amz-Expires"] == ["300"]
    assert signed.headers == {"Content-Type": "image/png", "If-None-Match": "*"}
    other = await store.sign_upload(KEY, Terms("image/png", 301), 299.5)
    assert parse_qs(urlsplit(other.url).query)["X-Amz-Signature"] != query["X-Amz-Signature"]
    down = parse_qs(urlsplit(await store.sign_download(KEY, "a", "image/png", 60.0)).query)
    assert (down["X-Amz-Expires"], down["response-content-type"]) == (["60"], ["image/png"])


def test_without_an_endpoint_the_bucket_is_in_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    client = connect(S3Location("my-files", "", "eu-west-1", None))
    assert client.origin == "https://my-files.s3.eu-west-1.amazonaws.com"
    assert client.sign("get_object", "k", {}, 60).startswith(client.origin + "/k?")


async def test_s3_that_is_away_is_unavailable(endpoint: str) -> None:
    away = S3Objects(connect(S3Location("files", "", "eu-west-1", "http://127.0.0.1:9", connect_timeout=0.2)))
    with pytest.raises(ChatError) as caught:
        await away.holds(KEY, PNG)
    assert caught.value.code is ErrorCode.UNAVAILABLE
    missing = S3Objects(connect(S3Location("no-such-bucket", "", "eu-west-1", endpoint)))
    with pytest.raises(ChatError):
        await missing.delete([KEY])


async def test_too_many_calls_of_s3_are_refused(endpoint: str) -> None:
    store = S3Objects(connect(S3Location("files", "", "eu-west-1", endpoint)), threads=1, queue=1)
    refusals: list[ErrorCode] = []

    async def ask() -> None:
        try:
            await store.holds(KEY, PNG)
        except ChatError as error:
            refusals.append(error.code)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask)
    assert refusals == [ErrorCode.OVERLOADED] * 2


async def test_nodes_that_share_a_directory_take_each_others_links(tmp_path: Path) -> None:
    one, other = on_disk(tmp_path), on_disk(tmp_path)
    signed = await one.store.sign_upload(KEY, PNG, 300.0)
    assert await other.put(signed.url, dict(signed.headers), DATA)
    assert await one.store.holds(KEY, PNG)
    assert await other.get(await one.store.sign_download(KEY, "a", "image/png", 300.0)) is not None


async def test_of_uploads_at_once_one_wins_and_whole(tmp_path: Path) -> None:
    objects = on_disk(tmp_path)
    signed = await objects.store.sign_upload(KEY, PNG, 300.0)
    taken: list[bool] = []

    async def put(data: bytes) -> None:
        taken.append(await objects.put(signed.url, dict(signed.headers), data))

    async with trio.open_nursery() as nursery:
        for each in range(5):
            nursery.start_soon(put, bytes([each]) * 300)
    assert sorted(taken) == [False] * 4 + [True]
    found = await objects.content()
    assert found is not None
    assert found[0] in [bytes([each]) * 300 for each in range(5)]


async def test_only_old_remains_of_uploads_are_tidied_away(tmp_path: Path) -> None:
    now = 1_000_000_000.0
    store = DiskObjects(tmp_path, lambda: now)
    await store.tidy(0.0)
    part = trio.Path(tmp_path / "incoming" / "a.b")
    await part.write_bytes(b"x")
    await store.tidy(60.0)
    assert await part.exists()
    old = DiskObjects(tmp_path)
    await old.tidy(3600.0)
    assert await part.exists()
    await old.tidy(-60.0)
    assert not await part.exists()


@pytest.mark.parametrize(
    "key", ["", "..", "../../etc/passwd-and-more", "a/b-and-so-on-and-on", "x" * 200, "a.b-and-so-on-and-on"]
)
async def test_what_is_no_key_leads_nowhere(tmp_path: Path, key: str) -> None:
    with pytest.raises(ChatError) as caught:
        await DiskObjects(tmp_path).size(key)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_a_directory_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ChatError) as caught:
        await DiskObjects(tmp_path / "file").sign_upload(KEY, PNG, 300.0)
    assert caught.value.code is ErrorCode.UNAVAILABLE
