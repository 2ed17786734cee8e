"""`/api/presence`."""

from typing import Final
from uuid import UUID

from quart import Blueprint, Response

from chatcore.errors import invalid
from chathttp.rest.answers import caller, json_answer, text_parameter
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import presence_json

_ID_LENGTH: Final = 36


def presence_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("presence", __name__, url_prefix="/api/presence")
    require_token(blueprint, services)

    @blueprint.get("")
    async def read() -> Response:
        user_id = caller().user_id
        wanted = _user_ids(services.settings.presence_limit)
        companions = await services.standings.companions(user_id, wanted)
        shown = [each for each in wanted if each == user_id or each in companions]
        seen = await services.presence.lookup(shown)
        return json_answer([presence_json(each, seen[each]) for each in shown])

    return blueprint


def _user_ids(limit: int) -> list[UUID]:
    """Of the query, each once. Errors: `VALIDATION_ERROR`."""
    text = text_parameter("userIds", max_length=limit * (_ID_LENGTH + 1))
    if not text:
        raise invalid("userIds", "is missing")
    try:
        wanted = dict.fromkeys(UUID(each) for each in text.split(","))
    except ValueError:
        raise invalid("userIds", "must be UUIDs separated by commas") from None
    if len(wanted) > limit:
        raise invalid("userIds", f"must be at most {limit}")
    return list(wanted)
