"""In-memory twin of the object storage, whose "URLs" only a test can put to and get from."""

from collections.abc import Collection
from urllib.parse import quote

import trio

from actors.attachments.disposition import attachment_disposition
from actors.attachments.ports import SignedUpload, Terms


class MemoryObjects:
    """`ObjectStore` over a dict."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, str]] = {}
        self._uploads: dict[str, tuple[str, Terms, float]] = {}
        self._downloads: dict[str, tuple[str, str, str, float]] = {}

    async def sign_upload(self, key: str, terms: Terms, lifetime: float) -> SignedUpload:
        await trio.lowlevel.checkpoint()
        url = f"memory:{quote(key)}?upload={len(self._uploads)}"
        self._uploads[url] = (key, terms, trio.current_time() + lifetime)
        return SignedUpload(url, {"Content-Type": terms.content_type})

    async def sign_download(self, key: str, file_name: str, content_type: str, lifetime: float) -> str:
        await trio.lowlevel.checkpoint()
        url = f"memory:{quote(key)}?download={len(self._downloads)}"
        self._downloads[url] = (key, file_name, content_type, trio.current_time() + lifetime)
        return url

    async def holds(self, key: str, terms: Terms) -> bool:
        await trio.lowlevel.checkpoint()
        data, content_type = self._objects.get(key, (b"", ""))
        return Terms(content_type, len(data)) == terms

    async def delete(self, keys: Collection[str]) -> None:
        await trio.lowlevel.checkpoint()
        for key in keys:
            self._objects.pop(key, None)

    async def tidy(self, _: float, /) -> None:
        await trio.lowlevel.checkpoint()

    def put(self, url: str, data: bytes, content_type: str) -> bool:
        """As a client does with the signed URL; false where that is refused."""
        key, terms, expires = self._uploads[url]
        if trio.current_time() >= expires or Terms(content_type, len(data)) != terms or key in self._objects:
            return False
        self._objects[key] = (data, content_type)
        return True

    def get(self, url: str) -> tuple[bytes, str, str] | None:
        """The bytes, `Content-Type` and `Content-Disposition`; None where it is refused."""
        key, file_name, content_type, expires = self._downloads[url]
        if trio.current_time() >= expires or key not in self._objects:
            return None
        return self._objects[key][0], content_type, attachment_disposition(file_name)
