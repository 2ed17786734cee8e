"""`/api/devices`."""

from typing import Final

from quart import Blueprint, Response

from actors.push.ports import Device, check_device, check_device_id
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.answers import body, caller, no_content
from chathttp.rest.guard import require_token
from chathttp.rest.services import Services


class _Put(RequestBody, frozen=True):
    platform: str
    push_token: str


_decode_put: Final = decoder_of(_Put)


def devices_blueprint(services: Services) -> Blueprint:
    blueprint = Blueprint("devices", __name__, url_prefix="/api/devices")
    require_token(blueprint, services)

    @blueprint.put("/<device_id>")
    async def put(device_id: str) -> Response:
        given = await body(_decode_put)
        device = Device(caller().user_id, device_id, given.platform, given.push_token)
        check_device(device)
        await services.devices.put(device, limit=services.settings.max_devices)
        return no_content()

    @blueprint.delete("/<device_id>")
    async def delete(device_id: str) -> Response:
        check_device_id(device_id)
        await services.devices.delete(caller().user_id, device_id)
        return no_content()

    return blueprint
