"""`/api/users/me`, for who wants to take all that is kept about him along, or have it erased."""

from quart import Blueprint, Response, g, request

from chatcore.errors import not_found
from chathttp.rest.answers import JSON, caller, no_content
from chathttp.rest.attachments import absolute_url
from chathttp.rest.client import request_client
from chathttp.rest.export import ExportBody, ExportDocument
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services


def privacy_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("privacy", __name__, url_prefix="/api/users/me")
    require_token(blueprint, services)
    settings = services.settings

    @blueprint.get("/export")
    async def export() -> Response:
        user_id, client = caller().user_id, request_client(settings)
        found = await services.users.get([user_id])
        if not found:
            raise not_found("User")
        headers = {"Content-Disposition": 'attachment; filename="export.json"'}
        if request.method == "HEAD":
            return Response(b"", 200, headers, content_type=JSON)
        begun = await services.exports.begin(user_id, client.address, g.request_id)
        # The request is gone by the time the document is written.
        links = absolute_url(settings)
        document = ExportDocument(services, found[0], begun, links)
        answer = Response(ExportBody(document, begun), 200, headers, content_type=JSON)
        answer.timeout = settings.export_time
        return answer

    @blueprint.delete("")
    async def erase() -> Response:
        address = request_client(settings).address
        await services.erasures.accept(caller().user_id, address, g.request_id)
        return no_content()

    return blueprint
