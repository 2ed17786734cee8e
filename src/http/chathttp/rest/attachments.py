"""`/api/attachments`: promises of uploads, and where a file is to be had."""

import re
from collections.abc import Callable
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
from chathttp.settings import Settings
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


def absolute_url(settings: Settings) -> Callable[[str], str]:
    """Of the present request, for clients that know nothing of the page they are on: makes a path one of the origin
    that was asked, and leaves a URL as it is.
    """
    host, scheme = request.host, "https" if request_client(settings).secure else "http"
    origin = f"{scheme}://{host}" if _HOST.fullmatch(host) else ""
    return lambda url: f"{origin}{url}" if url.startswith("/") else url


def attachments_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("attachments", __name__, url_prefix=ATTACHMENTS_PATH)
    require_token(blueprint, services)
    desk = services.attachments

    @blueprint.post("")
    async def promise() -> Response:
        given = await body(_decode)
        check_file_name(given.file_name)
        if given.size < 1:
            raise invalid("size", "must be 1 or more")
        terms = Terms(check_content_type(given.content_type), given.size)
        promised = await desk.promise(caller().user_id, given.file_name, terms)
        absolute = absolute_url(services.settings)
        url, headers = absolute(promised.upload.url), dict(promised.upload.headers)
        answer = _Promised(promised.attachment_id, url, "PUT", headers, timestamp(promised.expires_at))
        return json_answer(answer, 201)

    @blueprint.get("/<uuid:attachment_id>")
    async def download(attachment_id: UUID) -> Response:
        redirect = integer_parameter("redirect", most=1)
        found = await desk.download(attachment_id, caller().user_id)
        url = absolute_url(services.settings)(found.url)
        if redirect:
            return Response(b"", 302, {"Location": url})
        return json_answer(_Download(url, timestamp(found.expires_at)))

    return blueprint
