"""`/api/groups`: conversations of type GROUP under another name, with the same ids."""

from typing import Final
from uuid import UUID

from quart import Blueprint, Response

from chatcore.errors import not_found
from chatcore.model import ConversationType
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import member_conversation
from chathttp.rest.administration import Administration
from chathttp.rest.answers import body, caller, no_content
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services


class _Create(RequestBody, frozen=True):
    name: str
    member_ids: list[UUID]
    avatar_url: str | None = None


_decode_create: Final = decoder_of(_Create)


def groups_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("groups", __name__, url_prefix="/api/groups")
    require_token(blueprint, services)
    administration = Administration(services)

    @blueprint.post("")
    async def create() -> Response:
        given = await body(_decode_create)
        return await administration.create(
            ConversationType.GROUP, given.member_ids, "memberIds", given.name, given.avatar_url
        )

    @blueprint.get("/<uuid:group_id>")
    async def read_one(group_id: UUID) -> Response:
        conversation = await member_conversation(services, group_id, caller().user_id)
        if conversation.type is not ConversationType.GROUP:
            raise not_found("Group")
        return await administration.answer(conversation)

    @blueprint.patch("/<uuid:group_id>")
    async def change(group_id: UUID) -> Response:
        return await administration.change_details(group_id)

    @blueprint.delete("/<uuid:group_id>")
    async def delete(group_id: UUID) -> Response:
        await administration.delete(group_id)
        return no_content()

    @blueprint.post("/<uuid:group_id>/members")
    async def add(group_id: UUID) -> Response:
        return await administration.add(group_id)

    @blueprint.patch("/<uuid:group_id>/members/<uuid:member_id>")
    async def change_role(group_id: UUID, member_id: UUID) -> Response:
        return await administration.change_role(group_id, member_id)

    @blueprint.delete("/<uuid:group_id>/members/<uuid:member_id>")
    async def remove(group_id: UUID, member_id: UUID) -> Response:
        await administration.remove(group_id, member_id)
        return no_content()

    return blueprint
