"""`/api/users`."""

from typing import Final
from uuid import UUID

import msgspec
from quart import Blueprint, Response

from actors.conversation.messages import Refresh
from chatcore.errors import ChatError, not_found
from chatcore.model import User
from chatcore.validation import check_name, check_url
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.answers import (
    body,
    caller,
    json_answer,
    page_parameter,
    size_parameter,
    text_parameter,
    total_pages,
)
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import PageJson, user_json

MAX_SEARCH: Final = 200


class _ChangeUser(RequestBody, frozen=True):
    name: str | msgspec.UnsetType = msgspec.UNSET
    profile_picture_url: str | msgspec.UnsetType | None = msgspec.UNSET


_decode_change: Final = decoder_of(_ChangeUser)


def users_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("users", __name__, url_prefix="/api/users")
    require_token(blueprint, services)

    async def existing(user_id: UUID) -> User:
        found = await services.users.get([user_id])
        if not found:
            raise not_found("User")
        return found[0]

    @blueprint.get("/me")
    async def me() -> Response:
        user_id = caller().user_id
        return json_answer(user_json(await existing(user_id), user_id))

    @blueprint.patch("/me")
    async def change_me() -> Response:
        user_id = caller().user_id
        given = await body(_decode_change)
        name = None if given.name is msgspec.UNSET else check_name("name", given.name)
        picture = None if given.profile_picture_url is msgspec.UNSET else given.profile_picture_url or ""
        if picture:
            check_url("profilePictureUrl", picture)
        user = await services.users.update(user_id, name=name, profile_picture_url=picture)
        if name is not None:
            await _refresh_conversations(services, user_id)
        return json_answer(user_json(user, user_id))

    @blueprint.get("/<uuid:user_id>")
    async def other(user_id: UUID) -> Response:
        return json_answer(user_json(await existing(user_id), caller().user_id))

    @blueprint.get("")
    async def search() -> Response:
        user_id = caller().user_id
        text = (text_parameter("search", max_length=MAX_SEARCH) or "").strip()
        page, size = page_parameter() or 0, size_parameter("size", 20)
        found, total = await services.users.search(text, offset=page * size, limit=size)
        content = [user_json(each, user_id) for each in found]
        return json_answer(PageJson(content, page, size, total, total_pages(total, size)))

    return blueprint


async def _refresh_conversations(services: Services, user_id: UUID) -> None:
    """Let the conversations in use know the new name; one that is too busy learns it when it is next loaded."""
    for conversation_id in await services.users.conversation_ids(user_id):
        actor = services.conversations.live(conversation_id)
        if actor is not None:
            try:
                actor.tell(Refresh())
            except ChatError:
                continue
