"""`/api/features` and `/api/admin/features`."""

from typing import Final
from uuid import UUID

import structlog
from quart import Blueprint, Response

from chatcore.errors import forbidden, not_found
from chatcore.features import Feature, check_feature
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.answers import body, caller, json_answer, no_content
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services
from chathttp.wire import FeatureJson, feature_json

ADMINISTRATING_ROLE: Final = "admins"

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.audit")


class _Put(RequestBody, frozen=True):
    enabled: bool
    beta_user_ids: list[UUID] | None = None
    percent: float | None = None


_decode_put: Final = decoder_of(_Put)


def features_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("features", __name__, url_prefix="/api/features")
    require_token(blueprint, services)

    @blueprint.get("")
    async def mine() -> Response:
        return json_answer(services.features.of(caller().user_id))

    return blueprint


def feature_administration_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("feature_administration", __name__, url_prefix="/api/admin/features")
    require_token(blueprint, services)

    @blueprint.get("")
    async def all_of_them() -> Response:
        _administrator()
        return json_answer([feature_json(each) for each in await services.features.all()])

    @blueprint.put("/<name>")
    async def put(name: str) -> Response:
        by, given = _administrator(), await body(_decode_put)
        feature = Feature(name, given.enabled, given.beta_user_ids or (), given.percent or 0.0)
        check_feature(feature, max_beta_users=services.settings.max_beta_users)
        await services.features.put(feature, by)
        shown: FeatureJson = feature_json(feature)
        _log.info("feature set", by=str(by), feature=name, enabled=feature.enabled, percent=feature.percent)
        return json_answer(shown)

    @blueprint.delete("/<name>")
    async def delete(name: str) -> Response:
        by = _administrator()
        if not await services.features.delete(name):
            raise not_found("Feature")
        _log.info("feature deleted", by=str(by), feature=name)
        return no_content()

    return blueprint


def _administrator() -> UUID:
    """Errors: `FORBIDDEN`."""
    principal = caller()
    if ADMINISTRATING_ROLE not in principal.roles:
        raise forbidden()
    return principal.user_id
