"""`/api/attachments`: promises of uploads, and where a file is to be had."""

import re
from typing import Final
from uuid import UUID

import msgspec
from quart import Blueprint, Response, request

from actors.attachments.ports import Terms
from chatcore.errors import invalid
from chatcore.validation import check_content_type, check_file_name
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.answers import body, caller, integer_parameter, json_answer
from chathttp.rest.client import request_client
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import ATTACHMENTS_PATH, timestamp

_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class _Promise(RequestBody, frozen=True):
    file_name: str
    content_type: str
    size: int


class _Promised(msgspec.Struct, rename="camel", frozen=True):
    attachment_id: UUID
    upload_url: str
    method: str
    headers: dict[str, str]
    expires_at: str


class _Download(msgspec.Struct, rename="camel", frozen=True):
    download_url: str
    expires_at: str


_decode: Final = decoder_of(_Promise)


def attachments_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("attachments", __name__, url_prefix=ATTACHMENTS_PATH)
    require_token(blueprint, services)
    desk = services.attachments

    def absolute(url: str) -> str:
        """For clients that know nothing of the page they are on: a path is one of the origin that they asked."""
        if not url.startswith("/") or not _HOST.fullmatch(request.host):
            return url
        scheme = "https" if request_client(services.settings).secure else "http"
        return f"{scheme}://{request.host}{url}"

    @blueprint.post("")
    async def promise() -> Response:
        given = await body(_decode)
        check_file_name(given.file_name)
        if given.size < 1:
            raise invalid("size", "must be 1 or more")
        terms = Terms(check_content_type(given.content_type), given.size)
        promised = await desk.promise(caller().user_id, given.file_name, terms)
        url, headers = absolute(promised.upload.url), dict(promised.upload.headers)
        answer = _Promised(promised.attachment_id, url, "PUT", headers, timestamp(promised.expires_at))
        return json_answer(answer, 201)

    @blueprint.get("/<uuid:attachment_id>")
    async def download(attachment_id: UUID) -> Response:
        redirect = integer_parameter("redirect", most=1)
        found = await desk.download(attachment_id, caller().user_id)
        url = absolute(found.url)
        if redirect:
            return Response(b"", 302, {"Location": url})
        return json_answer(_Download(url, timestamp(found.expires_at)))

    return blueprint
