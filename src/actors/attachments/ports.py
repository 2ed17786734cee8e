"""What attachments need of storage: rows beside the messages, and somewhere for the bytes."""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from attrs import frozen


@frozen
class Terms:
    """What an upload must be: its exact size in bytes and its `Content-Type`."""

    content_type: str
    size: int


@frozen
class Attachment:
    """A promised upload. `message_id` is set once a message bears it; `uploaded` once its bytes were seen."""

    id: UUID
    owner_id: UUID
    object_key: str
    file_name: str
    terms: Terms
    uploaded: bool = False
    conversation_id: UUID | None = None
    message_id: UUID | None = None


@frozen
class SignedUpload:
    """A PUT of the bytes with exactly these headers. The URL may be relative to the node's own origin."""

    url: str
    headers: Mapping[str, str]


class AttachmentStore(Protocol):
    """Rows of attachments. Appends bind them: see `MessageLog.append`.

    A row that is discarded, by deletion of its message or because it was never used, is found no more; it stays until
    its bytes are deleted. Every method may raise `UNAVAILABLE`.
    """

    async def promise(self, attachment: Attachment, *, upload_seconds: float, max_unused: int) -> None:
        """Note an upload whose bytes may come for `upload_seconds`.

        Errors: `RATE_LIMITED` when the owner has `max_unused` that no message bears, under a race too; `NOT_FOUND`
        (no such user).
        """
        ...

    async def find(self, attachment_ids: Collection[UUID]) -> list[Attachment]:
        """Those that exist, in no order."""
        ...

    async def mark_uploaded(self, attachment_ids: Collection[UUID]) -> None:
        """Their bytes are there."""
        ...

    async def discard_unused(self, *, older_than: float, limit: int) -> int:
        """Discard those that no message bears after so many seconds; how many they were. For any number of callers."""
        ...

    async def discarded(self, limit: int) -> list[Attachment]:
        """Discarded ones whose bytes can be deleted for good, since no upload can be under way."""
        ...

    async def forget(self, attachment_ids: Collection[UUID]) -> None:
        """Delete the rows of discarded ones, whose bytes are gone."""
        ...


class ObjectStore(Protocol):
    """Bytes by key, which clients put and get by themselves with signed, expiring URLs. An object is written once.

    Times are seconds from now. Every method may raise `UNAVAILABLE`, and `OVERLOADED` where too much waits.
    """

    async def sign_upload(self, key: str, terms: Terms, lifetime: float) -> SignedUpload:
        """A PUT that is refused unless size and type are those of `terms`, and after `lifetime`."""
        ...

    async def sign_download(self, key: str, file_name: str, content_type: str, lifetime: float) -> str:
        """The URL of a GET that answers as a download of that name."""
        ...

    async def holds(self, key: str, terms: Terms) -> bool:
        """Whether the object is there, as promised."""
        ...

    async def delete(self, keys: Collection[str]) -> None:
        """What is not there is passed over."""
        ...

    async def tidy(self, older_than: float, /) -> None:
        """Remove what uploads that broke off so long ago have left."""
        ...
