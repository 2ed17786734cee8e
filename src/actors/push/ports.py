"""Devices, the outbox of pushes, and whoever carries them to the devices."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from attrs import frozen

from chatcore.errors import ChatError, ErrorCode, invalid

PLATFORMS: Final = ("ios", "android", "web")
MAX_TOKEN: Final = 2048
"""Characters of a token: an entry of an index of PostgreSQL has at most 2,704 bytes."""
_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TOKEN: Final = re.compile(rf"[!-~]{{1,{MAX_TOKEN}}}")


@frozen
class Device:
    """`id` is unique among the devices of its user, and made up by the device."""

    user_id: UUID
    id: str
    platform: str
    push_token: str


def check_device_id(device_id: str) -> None:
    """Errors: `VALIDATION_ERROR`."""
    if not _DEVICE_ID.fullmatch(device_id):
        raise invalid("deviceId", "must be 1 to 128 letters, digits, dots, colons, dashes or underscores")


def check_device(device: Device) -> None:
    """Errors: `VALIDATION_ERROR`."""
    check_device_id(device.id)
    if device.platform not in PLATFORMS:
        raise invalid("platform", f"must be one of {', '.join(PLATFORMS)}")
    if not _TOKEN.fullmatch(device.push_token):
        raise invalid("pushToken", f"must be 1 to {MAX_TOKEN} printable ASCII characters without spaces")


def too_many_devices(limit: int) -> ChatError:
    return ChatError(ErrorCode.CONFLICT, f"There are {limit} devices already")


class Devices(Protocol):
    """Where users want their pushes."""

    async def put(self, device: Device, *, limit: int) -> None:
        """Register it, or change it. Its token is taken from whatever device had it.

        Errors: `CONFLICT` when the user has `limit` others, `NOT_FOUND` when there is no such user.
        """
        ...

    async def delete(self, user_id: UUID, device_id: str) -> None:
        """Done when there is none."""
        ...


@frozen
class Fresh:
    """The newest message of one sender in a conversation among those that were found."""

    conversation_id: UUID
    seq: int
    sender_id: UUID


@frozen
class Found:
    """A message, where it was found by its id."""

    id: UUID
    conversation_id: UUID
    seq: int
    sender_id: UUID


@frozen
class Wanted:
    """A push up to a message, for a user who may be online."""

    user_id: UUID
    conversation_id: UUID
    seq: int


@frozen
class Push:
    """What a device is told: the newest message that is not delivered, and how many there are, at most 100."""

    user_id: UUID
    conversation_id: UUID
    message_id: UUID
    seq: int
    sender_id: UUID
    sender_name: str
    text: str
    created_at: datetime
    count: int


@frozen
class Job:
    """A push that was taken, for the `attempt`-th time. `push` is None when there is nothing to tell any more."""

    user_id: UUID
    conversation_id: UUID
    seq: int
    attempt: int
    push: Push | None
    devices: Sequence[Device]


@frozen
class Waiting:
    """Pushes of all nodes that are not sent; the age of the oldest in seconds, 0 for none."""

    pending: int
    oldest_age: float


class PushStore(Protocol):
    """All may raise `UNAVAILABLE` and `OVERLOADED`, and may be repeated."""

    async def clock(self) -> tuple[float, bool]:
        """The store's time, in seconds since 1970, and whether there are any devices."""
        ...

    async def scan(self, after: UUID, until: UUID | None, *, limit: int) -> list[Found]:
        """Messages by id: those after the one, up to the other."""
        ...

    async def wanted(self, fresh: Sequence[Fresh]) -> list[Wanted]:
        """Who has a device and not got the message, and neither wrote it, nor muted the conversation, nor blocked the
        one who did.
        """
        ...

    async def queue(self, wanted: Sequence[Wanted], *, delay: float) -> int:
        """In so many seconds, or with the push that waits already. The number of those that were not known."""
        ...

    async def take(self, *, limit: int, lease: float) -> list[Job]:
        """Those due, by age. Each comes to one taker, until the lease is over."""
        ...

    async def sent(self, job: Job, *, delay: float) -> None:
        """A newer message that has come meanwhile is due after the delay."""
        ...

    async def failed(self, job: Job, remaining: Collection[str], *, delay: float | None) -> None:
        """To be sent to the remaining devices after the delay; given up where that is None."""
        ...

    async def forget(self, device: Device) -> None:
        """The token is good for nothing. A device that has another one by now stays."""
        ...

    async def sweep(self, *, older_than: float) -> None:
        """Delete what was done so many seconds ago."""
        ...

    async def waiting(self) -> Waiting: ...


class Told(Enum):
    """What became of a push to one device."""

    SENT = "sent"
    GONE = "gone"
    """The provider does not know the token any more."""
    FAILED = "failed"


class PushSender(Protocol):
    async def send(self, push: Push, device: Device) -> Told:
        """To one device. Raises nothing for what a provider does."""
        ...


def payload(push: Push, device: Device) -> Mapping[str, object]:
    """What providers are given, as JSON. A device shows one notification for a `collapseKey`: the newest."""
    return {
        "userId": str(push.user_id),
        "deviceId": device.id,
        "platform": device.platform,
        "pushToken": device.push_token,
        "collapseKey": str(push.conversation_id),
        "conversationId": str(push.conversation_id),
        "messageId": str(push.message_id),
        "seq": push.seq,
        "senderId": str(push.sender_id),
        "senderName": push.sender_name,
        "text": push.text,
        "createdAt": push.created_at.isoformat(),
        "count": push.count,
    }
