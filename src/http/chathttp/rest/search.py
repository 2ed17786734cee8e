"""`/api/messages/search`."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from math import isfinite
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from quart import Blueprint, Response

from actors.search import SearchCursor
from chatcore.errors import invalid
from chathttp.rest.access import live_read_seq
from chathttp.rest.answers import caller, json_answer, optional_uuid_parameter, size_parameter, text_parameter
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import search_hit_json

MAX_QUERY: Final = 200
"""Code points."""
_CURSOR: Final = struct.Struct(">fq16s")


def write_search_cursor(cursor: SearchCursor) -> str:
    return urlsafe_b64encode(_CURSOR.pack(cursor.rank, cursor.created_us, cursor.message_id.bytes)).decode()


def read_search_cursor(text: str) -> SearchCursor:
    """Errors: `VALIDATION_ERROR` for what `write_search_cursor` never wrote."""
    try:
        rank, created_us, id_bytes = _CURSOR.unpack(urlsafe_b64decode(text.encode("ascii")))
        cursor = SearchCursor(rank, created_us, UUID(bytes=id_bytes))
    except (Base64Error, ValueError, struct.error):
        raise invalid("after", "is not a cursor") from None
    if not isfinite(rank) or write_search_cursor(cursor) != text:
        raise invalid("after", "is not a cursor")
    return cursor


def search_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("search", __name__, url_prefix="/api/messages/search")
    require_token(blueprint, services)

    @blueprint.get("")
    async def search() -> Response:
        user_id = caller().user_id
        query, size = text_parameter("q", max_length=MAX_QUERY), size_parameter("size", 20)
        if query is None or not query.strip():
            raise invalid("q", "must not be blank")
        conversation_id = optional_uuid_parameter("conversationId")
        after = text_parameter("after", max_length=64)
        cursor = None if after is None else read_search_cursor(after)
        if conversation_id is not None:
            await services.members.check(conversation_id, user_id)
        hits = await services.search.search(
            user_id,
            query,
            conversation_id=conversation_id,
            after=cursor,
            limit=size + 1,
            depth=services.settings.search_depth,
        )
        headers: dict[str, str] = {}
        if len(hits) > size:
            given = {"q": query, "size": str(size), "after": write_search_cursor(hits[size - 1].cursor)}
            if conversation_id is not None:
                given["conversationId"] = str(conversation_id)
            headers["Link"] = f'</api/messages/search?{urlencode(given)}>; rel="next"'
        live: dict[UUID, int] = {}
        for found_in in {hit.message.conversation_id for hit in hits[:size]}:
            live[found_in] = await live_read_seq(services, found_in, user_id)
        content = [
            search_hit_json(hit, is_read=hit.message.seq <= max(hit.read_seq, live[hit.message.conversation_id]))
            for hit in hits[:size]
        ]
        return json_answer(content, headers=headers)

    return blueprint
