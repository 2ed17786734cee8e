"""Blocks, mutes and reports."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from quart import Blueprint, Response

from actors.conversation.messages import Refresh
from actors.relation_ports import Report
from chatcore.errors import ChatError, forbidden, invalid
from chatcore.validation import check_reason
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import existing_message
from chathttp.rest.administration import ADMINISTRATORS
from chathttp.rest.answers import body, caller, json_answer, no_content, optional_uuid_parameter, size_parameter
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import timestamp


class _Mute(RequestBody, frozen=True):
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None


class _Report(RequestBody, frozen=True):
    message_id: UUID
    reason: str


_decode_mute: Final = decoder_of(_Mute)
_decode_report: Final = decoder_of(_Report)


class _ReportJson(msgspec.Struct, rename="camel", frozen=True):
    id: UUID
    message_id: UUID
    conversation_id: UUID
    sender_id: UUID
    text: str
    reporter_id: UUID
    reason: str
    created_at: str


class _BlocksJson(msgspec.Struct, rename="camel", frozen=True):
    user_ids: list[UUID]


def blocks_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("blocks", __name__, url_prefix="/api/users/me/blocks")
    require_token(blueprint, services)

    async def tell(conversation_id: UUID | None) -> None:
        """The append knows already; the actors learn it now, or by their next look at the database."""
        if conversation_id is not None:
            with suppress(ChatError):
                services.conversations.ref(conversation_id).tell(Refresh(tell=True))

    @blueprint.get("")
    async def list_mine() -> Response:
        return json_answer(_BlocksJson(list(await services.relations.blocked_by(caller().user_id))))

    @blueprint.put("/<uuid:user_id>")
    async def block(user_id: UUID) -> Response:
        limit = services.settings.max_blocks
        await tell(await services.relations.block(caller().user_id, user_id, max_blocks=limit))
        return no_content()

    @blueprint.delete("/<uuid:user_id>")
    async def unblock(user_id: UUID) -> Response:
        await tell(await services.relations.unblock(caller().user_id, user_id))
        return no_content()

    return blueprint


def mutes_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("mutes", __name__, url_prefix="/api/conversations/<uuid:conversation_id>/mute")
    require_token(blueprint, services)

    @blueprint.put("")
    async def mute(conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_mute)
        await services.relations.mute(conversation_id, user_id, _utc(given.until))
        return no_content()

    return blueprint


def reports_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("reports", __name__, url_prefix="/api")
    require_token(blueprint, services)

    @blueprint.post("/reports")
    async def report() -> Response:
        user_id, given = caller().user_id, await body(_decode_report)
        reason = check_reason(given.reason)
        message = await existing_message(services, given.message_id)
        await services.members.check(message.conversation_id, user_id)
        made, is_new = await services.relations.report(services.new_id(), message, user_id, reason)
        return json_answer(report_json(made), 201 if is_new else 200)

    @blueprint.get("/admin/reports")
    async def list_all() -> Response:
        if ADMINISTRATORS not in caller().roles:
            raise forbidden("Only administrators may do this")
        limit, before = size_parameter("limit", 50), optional_uuid_parameter("before")
        found = await services.relations.reports(before=before, limit=limit + 1)
        headers: dict[str, str] = {}
        if len(found) > limit:
            headers["Link"] = f'</api/admin/reports?limit={limit}&before={found[limit - 1].id}>; rel="next"'
        return json_answer([report_json(each) for each in found[:limit]], headers=headers)

    return blueprint


def _utc(time: datetime | None) -> datetime | None:
    try:
        return None if time is None else time.astimezone(UTC)
    except OverflowError:
        raise invalid("until", "is no time that there is in UTC") from None


def report_json(report: Report) -> _ReportJson:
    return _ReportJson(
        report.id,
        report.message_id,
        report.conversation_id,
        report.sender_id,
        report.text,
        report.reporter_id,
        report.reason,
        timestamp(report.created_at),
    )
