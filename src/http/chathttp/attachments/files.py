"""`/files/{key}`: uploads and downloads of what the node keeps itself, by signed link and without a token."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

import trio
from quart import Blueprint, Response, request
from quart.wrappers.response import ResponseBody

from actors.attachments.disposition import attachment_disposition
from actors.attachments.links import PATH
from actors.attachments.ports import Terms
from chatcore.errors import ChatError, ErrorCode, invalid, not_found
from chathttp.attachments.ranges import ByteRange, UnsatisfiableError, parse_range, range_applies
from chathttp.attachments.streamed import StreamedBody
from chathttp.attachments.transfers import ServedFiles
from chathttp.rest.answers import error_answer

FILE_CSP: Final = "sandbox; default-src 'none'"
"""What somebody uploaded never acts in our origin, even where a browser shows it."""


class _FileBody(ResponseBody):
    """A file's bytes, read as they are sent."""

    def __init__(self, opened: AbstractAsyncContextManager[AsyncIterator[bytes]]) -> None:
        self._opened = opened

    async def __aenter__(self) -> AsyncIterator[bytes]:
        return await self._opened.__aenter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(exc_type, exc_value, tb)


def stored_files_blueprint(files: ServedFiles) -> Blueprint:
    """PUT takes a whole file; GET gives one, or a range of it (RFC 9110, section 14)."""
    blueprint = Blueprint("stored_files", __name__)
    vault, transfers = files.vault, files.transfers

    @blueprint.put(f"{PATH}<key>")
    async def upload(key: str) -> Response:
        terms = (await vault.links()).read_upload(key, request.args)
        _check_head(terms)
        body = _streamed()
        body.stall_timeout = transfers.stall_timeout
        with transfers.taking(), trio.move_on_after(transfers.time) as patience:
            await vault.write(key, terms, body)
        if patience.cancelled_caught:
            raise ChatError(ErrorCode.VALIDATION_ERROR, "The upload took too long")
        return Response(b"", 200, {"ETag": _etag(key)})

    @blueprint.get(f"{PATH}<key>")
    async def download(key: str) -> Response:
        grant = (await vault.links()).read_download(key, request.args)
        size = await vault.size(key)
        if size is None:
            raise not_found("The file")
        etag = _etag(key)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Disposition": attachment_disposition(grant.file_name),
            "Content-Security-Policy": FILE_CSP,
            "ETag": etag,
        }
        if request.if_none_match.contains_weak(key):
            return Response(b"", 304, headers)
        try:
            wanted = _wanted(size, etag)
        except UnsatisfiableError:
            return _unsatisfiable(size)
        span = wanted or ByteRange(0, size)
        if wanted is not None:
            headers["Content-Range"] = wanted.content_range(size)
        headers["Content-Length"] = str(span.stop - span.start)
        status = 200 if wanted is None else 206
        if request.method == "HEAD":
            answer = Response(b"", status, headers, content_type=grant.content_type)
            answer.content_length = size
            return answer
        _streamed().until_sent.enter_context(transfers.taking())
        answer = Response(
            _FileBody(vault.read(key, span.start, span.stop)), status, headers, content_type=grant.content_type
        )
        answer.timeout = transfers.time
        return answer

    return blueprint


def _streamed() -> StreamedBody:
    body = request.body
    assert isinstance(body, StreamedBody)
    return body


def _etag(key: str) -> str:
    """Strong, for what is under a key never changes."""
    return f'"{key}"'


def _check_head(terms: Terms) -> None:
    if request.headers.get("Content-Type") != terms.content_type:
        raise ChatError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, f"The upload has to be {terms.content_type}, as promised")
    length = request.content_length
    if length is None:
        raise invalid("size", "has to be told by Content-Length")
    if length > terms.size:
        raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, f"The upload has more than the promised {terms.size} bytes")
    if length < terms.size:
        raise invalid("size", f"has to be the promised {terms.size} bytes, not {length}")


def _wanted(size: int, etag: str) -> ByteRange | None:
    if request.method != "GET" or not range_applies(request.headers.get("If-Range"), etag):
        return None
    return parse_range(request.headers.get("Range"), size)


def _unsatisfiable(size: int) -> Response:
    error = ChatError(ErrorCode.VALIDATION_ERROR, f"The file has {size} bytes, none of which is asked for")
    answer = error_answer(error, {"Content-Range": f"bytes */{size}"})
    answer.status_code = 416
    return answer
