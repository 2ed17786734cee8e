"""What serving files needs of where a node keeps them itself."""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from actors.attachments.links import Links
from actors.attachments.ports import Terms


class FileVault(Protocol):
    """The bytes of objects that a node serves itself. Every method may raise `UNAVAILABLE`."""

    async def links(self) -> Links:
        """What reads the links that `ObjectStore` has signed."""
        ...

    async def write(self, key: str, terms: Terms, chunks: AsyncIterable[bytes]) -> None:
        """Store a whole object, or nothing: it is there for good when this returns.

        Errors: `CONFLICT` when it is there already, `PAYLOAD_TOO_LARGE` and `VALIDATION_ERROR` (naming `size`) when
        more or less comes than promised.
        """
        ...

    async def size(self, key: str) -> int | None:
        """In bytes; None when there is no such object."""
        ...

    def read(self, key: str, start: int, stop: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes `start <= i < stop` in pieces. Errors: `NOT_FOUND`, on entry."""
        ...
