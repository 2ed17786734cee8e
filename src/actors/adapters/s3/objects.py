"""Objects in a bucket of S3, or of what speaks its protocol."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import ceil
from typing import Final, TypeVar

import trio

from actors.adapters.s3.client import S3_ERRORS, KeptError, S3Client
from actors.attachments.disposition import attachment_disposition
from actors.attachments.ports import SignedUpload, Terms
from chatcore.errors import overloaded, unavailable

_MOST_DELETED: Final = 1000
"""Keys of one DeleteObjects."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class S3Objects:
    """`ObjectStore` over a bucket. Size, type and "not there yet" are part of an upload's signature.

    All is done by at most `threads` threads, and at most `queue` calls wait for one: HEAD and DELETE ask S3, and a
    signature asks for the role's credentials when those are about to expire.
    """

    def __init__(self, client: S3Client, *, threads: int = 4, queue: int = 256) -> None:
        self._client = client
        self._threads = trio.CapacityLimiter(threads)
        self._queue = queue

    async def sign_upload(self, key: str, terms: Terms, lifetime: float) -> SignedUpload:
        bound = {"ContentType": terms.content_type, "ContentLength": terms.size, "IfNoneMatch": "*"}
        url = await self._sign("put_object", key, lifetime, bound)
        return SignedUpload(url, {"Content-Type": terms.content_type, "If-None-Match": "*"})

    async def sign_download(self, key: str, file_name: str, content_type: str, lifetime: float) -> str:
        answered = {
            "ResponseContentType": content_type,
            "ResponseContentDisposition": attachment_disposition(file_name),
        }
        return await self._sign("get_object", key, lifetime, answered)

    async def holds(self, key: str, terms: Terms) -> bool:
        return await self._run(partial(self._client.head, key)) == (terms.content_type, terms.size)

    async def delete(self, keys: Collection[str]) -> None:
        wanted = list(keys)
        for start in range(0, len(wanted), _MOST_DELETED):
            await self._run(partial(self._client.delete, wanted[start : start + _MOST_DELETED]))

    async def tidy(self, _: float, /) -> None:
        """An upload that breaks off leaves nothing."""
        await trio.lowlevel.checkpoint()

    async def _sign(self, operation: str, key: str, lifetime: float, bound: Mapping[str, str | int]) -> str:
        return await self._run(partial(self._client.sign, operation, key, bound, ceil(lifetime)))

    async def _run(self, call: Callable[[], T]) -> T:
        if self._threads.statistics().tasks_waiting >= self._queue:
            raise overloaded()
        try:
            return await trio.to_thread.run_sync(call, limiter=self._threads, abandon_on_cancel=True)
        except (*S3_ERRORS, KeptError) as error:
            _log.error("attachments in S3: %s", error)
            raise unavailable("The file storage is away") from error
