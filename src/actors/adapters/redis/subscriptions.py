"""One connection that subscribes: channels in, messages out."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol

from actors.adapters.redis.driver import ReplyError, Wire, pack

_CHUNK: Final = 500
"""Channels of one SUBSCRIBE; Redis answers each channel."""


class Hearer(Protocol):
    """Who is told what a subscription hears, on the asyncio side."""

    def received(self, channel: str, payload: bytes) -> None: ...

    def followed(self, channels: Sequence[str]) -> None:
        """They are in force."""
        ...

    async def room(self) -> None:
        """Returns when more may be received: until then the socket is not read."""
        ...


class SubscriptionLink:
    """Keeps Redis told of the channels wanted.

    Sharded, each channel is subscribed to by a command of its own, since those of one command must share a slot, and a
    channel that Redis gives up by itself has moved to another server: that ends the link.
    """

    def __init__(self, wire: Wire, hearer: Hearer, channels: Collection[str], *, sharded: bool) -> None:
        self._wire = wire
        self._hearer = hearer
        self._changes = dict.fromkeys(channels, True)
        self._leaving: dict[str, int] = {}
        self._verb = "S{}SUBSCRIBE" if sharded else "{}SUBSCRIBE"
        self._chunk = 1 if sharded else _CHUNK
        self._idle: asyncio.Future[None] | None = None

    def change(self, channels: Collection[str], *, follow: bool) -> None:
        """Callable from both sides."""
        for channel in channels:
            self._changes.pop(channel, None)
            self._changes[channel] = follow
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def write(self) -> None:
        """Until the connection is lost: raises one of `LOST`."""
        while True:
            if not self._changes:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
            changes, self._changes = self._changes, {}
            new = [channel for channel, follow in changes.items() if follow]
            old = [channel for channel, follow in changes.items() if not follow]
            for channel in old:
                self._leaving[channel] = self._leaving.get(channel, 0) + 1
            for verb, channels in (("UN", old), ("", new)):
                for start in range(0, len(channels), self._chunk):
                    some = channels[start : start + self._chunk]
                    self._wire.write(pack((self._verb.format(verb), *some)))
                    await self._wire.drain()

    async def read(self) -> None:
        """As `write`."""
        hearer = self._hearer
        while True:
            followed: list[str] = []
            for push in await self._wire.read():
                self._take(push, followed)
            if followed:
                hearer.followed(followed)
            await hearer.room()

    def _take(self, push: Any, followed: list[str]) -> None:
        if isinstance(push, ReplyError):
            raise push
        kind, channel = push[0], push[1].decode()
        match kind:
            case b"message" | b"smessage":
                self._hearer.received(channel, push[2])
            case b"subscribe" | b"ssubscribe":
                followed.append(channel)
            case b"unsubscribe" | b"sunsubscribe":
                self._left(channel)
            case _:
                raise ConnectionError(f"Redis sent {kind!r} to a subscriber")

    def _left(self, channel: str) -> None:
        times = self._leaving.pop(channel, 0)
        if not times:
            raise ConnectionError("a channel has moved to another server")
        if times > 1:
            self._leaving[channel] = times - 1
