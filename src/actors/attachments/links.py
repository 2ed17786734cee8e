"""Signed, expiring links to objects that a node serves itself: HMAC-SHA256 (RFC 2104) over all that they grant."""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final
from urllib.parse import urlencode

from attrs import frozen

from actors.attachments.ports import Terms
from chatcore.errors import ChatError, forbidden

PATH: Final = "/files/"
"""What the path of every link begins with; the key follows."""

KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")
"""What may be a key: no dot and no slash, so that none leads out of a directory."""

_UPLOAD: Final = ("type", "size", "expires")
_DOWNLOAD: Final = ("name", "type", "expires")


@frozen
class DownloadGrant:
    """How a download is to be answered."""

    file_name: str
    content_type: str


class Links:
    """Signs links and reads them back. `now` is the wall clock in seconds since 1970; nodes share the `secret`.

    What is read raises `FORBIDDEN` unless it is as signed and has not expired.
    """

    def __init__(self, secret: bytes, now: Callable[[], float]) -> None:
        self._secret = secret
        self._now = now

    def upload(self, key: str, terms: Terms, lifetime: float) -> str:
        """The path and query of a PUT."""
        values = {"type": terms.content_type, "size": str(terms.size), "expires": self._expiry(lifetime)}
        return self._signed("PUT", key, values)

    def download(self, key: str, grant: DownloadGrant, lifetime: float) -> str:
        """The path and query of a GET."""
        values = {"name": grant.file_name, "type": grant.content_type, "expires": self._expiry(lifetime)}
        return self._signed("GET", key, values)

    def read_upload(self, key: str, query: Mapping[str, str]) -> Terms:
        self._check("PUT", key, query, _UPLOAD)
        return Terms(query["type"], int(query["size"]))

    def read_download(self, key: str, query: Mapping[str, str]) -> DownloadGrant:
        self._check("GET", key, query, _DOWNLOAD)
        return DownloadGrant(query["name"], query["type"])

    def _expiry(self, lifetime: float) -> str:
        return str(ceil(self._now() + lifetime))

    def _signed(self, method: str, key: str, values: Mapping[str, str]) -> str:
        query = urlencode({**values, "signature": self._signature(method, key, values)})
        return f"{PATH}{key}?{query}"

    def _check(self, method: str, key: str, query: Mapping[str, str], names: tuple[str, ...]) -> None:
        if any(name not in query for name in names):
            raise _refused()
        signature = self._signature(method, key, {name: query[name] for name in names})
        if not hmac.compare_digest(signature.encode(), query.get("signature", "").encode()):
            raise _refused()
        if self._now() >= int(query["expires"]):
            raise forbidden("The link has expired")

    def _signature(self, method: str, key: str, values: Mapping[str, str]) -> str:
        granted = "\n".join((method, key, urlencode(values)))
        return urlsafe_b64encode(hmac.digest(self._secret, granted.encode(), "sha256")).decode().rstrip("=")


def _refused() -> ChatError:
    return forbidden("The link is not one of ours")
