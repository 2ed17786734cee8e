"""What is known of the one who made the present request."""

from attrs import frozen
from quart import request

from chathttp.rest.proxy import client_address, is_forwarded_https
from chathttp.settings import Settings


@frozen
class Client:
    """`secure` when the request came over https."""

    address: str
    secure: bool


def request_client(settings: Settings) -> Client:
    """Looks behind the trusted proxies; what others forward is not believed."""
    peer = request.remote_addr or ""
    forwarded_for = ",".join(request.headers.getlist("X-Forwarded-For"))
    proto = request.headers.get("X-Forwarded-Proto", "")
    secure = request.scheme == "https" or is_forwarded_https(peer, proto, settings.trusted_proxies)
    return Client(client_address(peer, forwarded_for, settings.trusted_proxies), secure)
