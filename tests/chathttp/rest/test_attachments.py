"""`/api/attachments`, and `/files` behind its links."""

from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID, uuid4

import attrs
import pytest

from chathttp.attachments.transfers import Transfers
from tests.kit.attachments import POLICY
from tests.kit.rest import Answer, RestKit, open_rest

PNG = b"\x89PNG\r\n" + bytes(range(256))


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncGenerator[RestKit]:
    async with open_rest(directory=tmp_path) as kit:
        yield kit


@attrs.frozen
class Sender:
    """A user and what he does with files."""

    rest: RestKit
    user_id: UUID
    token: str

    async def promise(self, size: int = len(PNG), content_type: str = "image/png", name: str = "cat.png") -> Answer:
        given = {"fileName": name, "contentType": content_type, "size": size}
        return await self.rest.call("POST", "/api/attachments", given, token=self.token)

    async def upload(self, data: bytes = PNG, name: str = "cat.png", content_type: str = "image/png") -> str:
        """The id of an attachment whose bytes are there."""
        promised = (await self.promise(len(data), content_type, name)).json
        answer = await put(self.rest, promised["uploadUrl"], data, promised["headers"])
        assert answer.status == 200, answer.body
        return promised["attachmentId"]

    async def link(self, attachment_id: str) -> Answer:
        return await self.rest.call("GET", f"/api/attachments/{attachment_id}", token=self.token)

    async def url(self, attachment_id: str) -> str:
        answer = await self.link(attachment_id)
        assert answer.status == 200, answer.body
        return answer.json["downloadUrl"]


async def put(rest: RestKit, url: str, data: bytes, headers: dict[str, str]) -> Answer:
    return await rest.call("PUT", path_of(url), data=data, headers={"Content-Length": str(len(data))} | headers)


async def get(rest: RestKit, url: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    return await rest.call(method, path_of(url), headers=headers)


def path_of(url: str) -> str:
    return url[url.index("/files/") :]


def changed(url: str, **values: str) -> str:
    """The URL with other values in its query."""
    parts = urlsplit(url)
    return parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | values)).geturl()


def files_in(directory: Path) -> list[str]:
    return [each.name for each in directory.rglob("*") if each.is_file()]


async def sender(rest: RestKit, name: str) -> Sender:
    return Sender(rest, *await rest.user(name))


@pytest.mark.contract(
    "POST /api/attachments",
    "GET /api/attachments/{attachmentId}",
    "PUT /files/{key}",
    "GET /files/{key}",
    "header Content-Disposition",
)
async def test_a_file_goes_up_into_a_message_and_down_to_the_other_member(rest: RestKit) -> None:
    ann, bob = await sender(rest, "ann"), await sender(rest, "bob")
    room = await rest.group(ann.token, bob.user_id)
    promised = await ann.promise(name="Grüße 😀.png")
    assert (promised.status, promised.json["method"]) == (201, "PUT")
    assert promised.json["headers"] == {"Content-Type": "image/png"}
    attachment_id = promised.json["attachmentId"]
    assert (await put(rest, promised.json["uploadUrl"], PNG, promised.json["headers"])).status == 200
    sent = await rest.send(ann.token, room, "", attachmentIds=[attachment_id])
    assert (sent.status, sent.json["attachmentUrls"]) == (201, [f"/api/attachments/{attachment_id}"])
    page = await rest.call("GET", f"/api/messages?conversationId={room}", token=bob.token)
    assert page.json["content"][0]["attachmentUrls"] == [f"/api/attachments/{attachment_id}"]
    got = await get(rest, await bob.url(attachment_id))
    assert (got.status, got.body) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-length"] == str(len(PNG))
    assert got.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e _.png\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%F0%9F%98%80.png"
    )
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


@pytest.mark.contract("GET /api/attachments/{attachmentId}", "header Location")
async def test_redirect_leads_to_the_file(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    attachment_id = await ann.upload()
    answer = await rest.call("GET", f"/api/attachments/{attachment_id}?redirect=1", token=ann.token)
    assert (answer.status, answer.body) == (302, b"")
    assert (await get(rest, answer.headers["location"])).body == PNG
    plain = await rest.call("GET", f"/api/attachments/{attachment_id}?redirect=0", token=ann.token)
    assert plain.status == 200
    wrong = await rest.call("GET", f"/api/attachments/{attachment_id}?redirect=yes", token=ann.token)
    assert wrong.field == "redirect"


async def test_links_are_absolute_and_https_behind_a_balancer(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    given = {"fileName": "a", "contentType": "image/png", "size": 1}
    headers = {"Host": "chat.example.com", "X-Forwarded-Proto": "https"}
    answer = await rest.call("POST", "/api/attachments", given, token=ann.token, headers=headers, peer="10.0.0.1")
    assert answer.json["uploadUrl"].startswith("https://chat.example.com/files/")
    answer = await rest.call("POST", "/api/attachments", given, token=ann.token, headers=headers)
    assert answer.json["uploadUrl"].startswith("http://chat.example.com/files/")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"fileName": ""}, "fileName"),
        ({"fileName": "a" * 256}, "fileName"),
        ({"fileName": "../../etc/passwd"}, "fileName"),
        ({"fileName": "a\r\nSet-Cookie: x"}, "fileName"),
        ({"fileName": "a\x00"}, "fileName"),
        ({"fileName": ".."}, "fileName"),
        ({"contentType": "png"}, "contentType"),
        ({"contentType": "image/png\r\nx: y"}, "contentType"),
        ({"size": 0}, "size"),
        ({"size": "1"}, "size"),
    ],
)
async def test_a_wrong_promise_is_refused(rest: RestKit, given: dict[str, object], field: str) -> None:
    ann = await sender(rest, "ann")
    body = {"fileName": "cat.png", "contentType": "image/png", "size": 3} | given
    assert (await rest.call("POST", "/api/attachments", body, token=ann.token)).field == field


async def test_types_sizes_and_how_many_wait_are_limited(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    html = await ann.promise(content_type="text/html")
    assert (html.status, html.error) == (415, "UNSUPPORTED_MEDIA_TYPE")
    large = await ann.promise(size=POLICY.max_bytes + 1)
    assert (large.status, large.error) == (413, "PAYLOAD_TOO_LARGE")
    assert (await ann.promise(content_type="Text/PLAIN; charset=utf-8")).status == 201
    for _ in range(POLICY.max_unused - 1):
        assert (await ann.promise()).status == 201
    late = await ann.promise()
    assert (late.status, late.error) == (429, "RATE_LIMITED")
    assert int(late.headers["retry-after"]) > 0


async def test_only_members_get_a_link_and_before_that_only_the_owner(rest: RestKit) -> None:
    ann, bob, eve = [await sender(rest, name) for name in ("ann", "bob", "eve")]
    room = await rest.group(ann.token, bob.user_id)
    attachment_id = await ann.upload()
    assert [(await each.link(attachment_id)).status for each in (ann, bob, eve)] == [200, 403, 403]
    await rest.send(ann.token, room, "", attachmentIds=[attachment_id])
    assert [(await each.link(attachment_id)).status for each in (ann, bob, eve)] == [200, 200, 403]
    path = f"/api/conversations/{room}/participants/{bob.user_id}"
    assert (await rest.call("DELETE", path, token=ann.token)).status in {200, 204}
    assert [(await each.link(attachment_id)).status for each in (ann, bob, eve)] == [200, 403, 403]
    assert (await ann.link(str(uuid4()))).error == "NOT_FOUND"
    assert (await rest.call("GET", f"/api/attachments/{attachment_id}")).status == 401


async def test_what_is_not_uploaded_has_no_link_and_goes_into_no_message(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    room = await rest.group(ann.token)
    attachment_id = (await ann.promise()).json["attachmentId"]
    assert (await ann.link(attachment_id)).status == 404
    assert (await rest.send(ann.token, room, "x", attachmentIds=[attachment_id])).field == "attachmentIds"


@pytest.mark.contract("limit attachments of a message")
async def test_foreign_used_unknown_double_and_too_many_are_refused(rest: RestKit) -> None:
    ann, bob = await sender(rest, "ann"), await sender(rest, "bob")
    room = await rest.group(ann.token, bob.user_id)
    mine = await ann.upload()
    assert (await rest.send(bob.token, room, "x", attachmentIds=[mine])).field == "attachmentIds"
    assert (await rest.send(ann.token, room, "x", attachmentIds=[str(uuid4())])).field == "attachmentIds"
    assert (await rest.send(ann.token, room, "x", attachmentIds=[mine, mine])).field == "attachmentIds"
    assert (await rest.send(ann.token, room, "x", attachmentIds=[str(uuid4())] * 6)).field == "attachmentIds"
    assert (await rest.send(ann.token, room, "", attachmentIds=[])).field == "text"
    assert (await rest.send(ann.token, room, "", attachmentIds=[mine])).status == 201
    assert (await rest.send(ann.token, room, "x", attachmentIds=[mine])).field == "attachmentIds"


async def test_a_repeated_send_answers_with_the_first_message(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    room, attachment_id = await rest.group(ann.token), await ann.upload()
    first = await rest.send(ann.token, room, "", attachmentIds=[attachment_id], clientMessageId="x")
    again = await rest.send(ann.token, room, "", attachmentIds=[attachment_id], clientMessageId="x")
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json


async def test_a_deleted_messages_attachment_is_gone_and_swept(rest: RestKit, tmp_path: Path) -> None:
    ann = await sender(rest, "ann")
    room, attachment_id = await rest.group(ann.token), await ann.upload()
    message = (await rest.send(ann.token, room, "", attachmentIds=[attachment_id])).json
    url = await ann.url(attachment_id)
    assert (await rest.call("DELETE", f"/api/messages/{message['id']}", token=ann.token)).status == 204
    assert (await ann.link(attachment_id)).status == 404
    page = await rest.call("GET", f"/api/messages?conversationId={room}", token=ann.token)
    assert page.json["content"][0]["attachmentUrls"] == []
    assert (await get(rest, url)).status == 200
    for kept in rest.identity.chat.state.attachments.values():
        kept.upload_until = kept.created_at
    rest.identity.clock.advance(1)
    await rest.attachments.sweep()
    assert (await get(rest, url)).status == 404
    assert files_in(tmp_path) == ["signing-key"]


async def test_an_upload_is_taken_once(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    promised = (await ann.promise()).json
    assert (await put(rest, promised["uploadUrl"], PNG, promised["headers"])).status == 200
    again = await put(rest, promised["uploadUrl"], PNG[::-1], promised["headers"])
    assert (again.status, again.error) == (409, "CONFLICT")
    assert (await get(rest, await ann.url(promised["attachmentId"]))).body == PNG


@pytest.mark.parametrize("what", ["signature", "size", "type", "expires", "key"])
async def test_a_changed_upload_link_is_refused(rest: RestKit, what: str) -> None:
    ann = await sender(rest, "ann")
    url = (await ann.promise()).json["uploadUrl"]
    values = {"signature": "A" * 43, "size": "9", "type": "text/html", "expires": "99999999999"}
    other = url.replace("/files/", "/files/x") if what == "key" else changed(url, **{what: values[what]})
    answer = await put(rest, other, PNG, {"Content-Type": "image/png"})
    assert (answer.status, answer.error) == (403, "FORBIDDEN")


async def test_a_link_is_good_for_its_own_method_only(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    up = (await ann.promise()).json
    assert (await get(rest, up["uploadUrl"])).status == 403
    await put(rest, up["uploadUrl"], PNG, up["headers"])
    down = await ann.url(up["attachmentId"])
    assert (await put(rest, down, PNG, {"Content-Type": "image/png"})).status == 403
    assert (await rest.call("DELETE", path_of(down))).status == 405
    assert (await rest.call("GET", "/files/nothing")).status == 403


@pytest.mark.contract("attachment links expire")
async def test_links_expire(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    attachment_id = await ann.upload()
    up, down = (await ann.promise()).json, await ann.url(attachment_id)
    rest.identity.clock.advance(299)
    assert (await get(rest, down)).status == 200
    rest.identity.clock.advance(2)
    for answer in (await get(rest, down), await put(rest, up["uploadUrl"], PNG, up["headers"])):
        assert (answer.status, answer.error) == (403, "FORBIDDEN")


async def test_another_type_or_size_is_refused_and_leaves_nothing(rest: RestKit, tmp_path: Path) -> None:
    ann = await sender(rest, "ann")
    promised = (await ann.promise()).json
    url = promised["uploadUrl"]
    assert (await put(rest, url, PNG, {"Content-Type": "text/html"})).error == "UNSUPPORTED_MEDIA_TYPE"
    assert (await put(rest, url, PNG, {})).error == "UNSUPPORTED_MEDIA_TYPE"
    assert (await put(rest, url, PNG + b"x", promised["headers"])).error == "PAYLOAD_TOO_LARGE"
    assert (await put(rest, url, PNG[1:], promised["headers"])).field == "size"
    unsaid = await rest.call("PUT", path_of(url), data=PNG, headers=promised["headers"])
    assert unsaid.field == "size"
    short = await put(rest, url, PNG[1:], promised["headers"] | {"Content-Length": str(len(PNG))})
    assert short.field == "size"
    assert files_in(tmp_path) == ["signing-key"]
    assert (await put(rest, url, PNG, promised["headers"])).status == 200


@pytest.mark.parametrize("path", ["/files/..%2f..%2fsigning-key", "/files/../signing-key", "/files/a/b", "/files/"])
async def test_no_path_leads_out_of_the_directory(rest: RestKit, path: str) -> None:
    await (await sender(rest, "ann")).upload()
    answer = await rest.call("GET", path + "?name=a&type=b&expires=99999999999&signature=x")
    assert answer.status in {403, 404}


@pytest.mark.contract("GET /files/{key}", "header Content-Range", "header ETag")
async def test_a_range_is_answered_with_that_part(rest: RestKit) -> None:
    ann = await sender(rest, "ann")
    url = await ann.url(await ann.upload())
    size = len(PNG)
    part = await get(rest, url, {"Range": "bytes=5-9"})
    assert (part.status, part.body) == (206, PNG[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{size}"
    assert (await get(rest, url, {"Range": "bytes=-3"})).body == PNG[-3:]
    assert (await get(rest, url, {"Range": "bytes=0-1,4-5"})).status == 200
    none = await get(rest, url, {"Range": f"bytes={size}-"})
    assert (none.status, none.headers["content-range"], none.error) == (416, f"bytes */{size}", "VALIDATION_ERROR")
    etag = part.headers["etag"]
    assert (await get(rest, url, {"Range": "bytes=5-9", "If-Range": etag})).status == 206
    assert (await get(rest, url, {"Range": "bytes=5-9", "If-Range": '"other"'})).status == 200
    assert (await get(rest, url, {"If-None-Match": etag})).status == 304
    head = await get(rest, url, {"Range": "bytes=5-9"}, "HEAD")
    assert (head.status, head.headers["accept-ranges"], head.body) == (200, "bytes", b"")


async def test_too_many_transfers_at_once_are_refused(tmp_path: Path) -> None:
    transfers = Transfers(1, 60.0, 5.0)
    async with open_rest(directory=tmp_path, transfers=transfers) as rest:
        ann = await sender(rest, "ann")
        promised, url = (await ann.promise()).json, await ann.url(await ann.upload())
        with transfers.taking():
            for answer in (await get(rest, url), await put(rest, promised["uploadUrl"], PNG, promised["headers"])):
                assert (answer.status, answer.error) == (503, "OVERLOADED")
        assert transfers.refused == 2
        assert (await get(rest, url)).status == 200
        assert transfers.active == 0


async def test_where_files_are_elsewhere_there_is_no_such_route() -> None:
    async with open_rest() as rest:
        assert (await rest.call("GET", "/files/x")).error == "NOT_FOUND"
