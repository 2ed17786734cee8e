"""One connection for publishes and commands: what waits is written as one pipeline, answers come in order."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from actors.adapters.redis.driver import Answer, Command, ReplyError, Wire, pack
from actors.bridge.broker import Received
from actors.runtime.reply import Reply
from chatcore.errors import unavailable

_PIPELINE_BYTES: Final = 262_144
_MOVED: Final = ("MOVED", "CLUSTERDOWN", "READONLY", "LOADING")
"""Refusals that say that it is not the right server, or not yet."""


class Exchange:
    """Commands whose answers somebody waits for, or did until it took too long. `over` is called once, when the last
    answer has come or none will.
    """

    def __init__(self, commands: Sequence[Command], reply: Reply[list[Answer]], over: Callable[[], None]) -> None:
        self.packed = b"".join([pack(command) for command in commands])
        self._left = len(commands)
        self._reply = reply
        self._over = over
        self._answers: list[Answer] = []
        self._refusal: Exception | None = None

    def take(self, answer: Any) -> bool:
        """One more answer. True when it was the last."""
        if isinstance(answer, ReplyError):
            self._refusal = answer
        else:
            self._answers.append(answer)
        self._left -= 1
        if self._left:
            return False
        if self._refusal is None:
            self._reply.succeed(self._answers)
            self._over()
        else:
            self.fail(self._refusal)
        return True

    def fail(self, why: BaseException) -> None:
        """No more answers come."""
        refused = unavailable("Redis did not answer")
        refused.__cause__ = why
        self._reply.fail(refused)
        self._over()


class CommandLink:
    """Writes what is sent, in order, and calls `answered` for each publish that Redis has taken."""

    def __init__(self, wire: Wire, publish_verb: str, answered: Callable[[Received], None]) -> None:
        self._wire = wire
        self._verb = publish_verb
        self._answered = answered
        self._waiting: deque[Received | Exchange] = deque()
        self._unanswered: deque[Received | Exchange | bytes] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._flushed: asyncio.Future[None] | None = None
        self._heard_at = 0.0

    def send(self, item: Received | Exchange) -> None:
        """Callable from both sides."""
        self._waiting.append(item)
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    def probe(self, channel: str, payload: bytes) -> None:
        """Publish it before all that waits. Nobody is told of the answer."""
        self._note_start()
        packed = pack((self._verb, channel, payload))
        self._unanswered.append(packed)
        self._wire.write(packed)

    def waits_since(self) -> float | None:
        """Since when, on the loop's clock, nothing was heard although answers are due; None when none is."""
        return self._heard_at if self._unanswered else None

    def take_unanswered(self, why: BaseException) -> list[Received]:
        """The publishes that may not have arrived, oldest first; who waits for answers is refused."""
        items = [*self._unanswered, *self._waiting]
        self._unanswered.clear()
        self._waiting.clear()
        for item in items:
            if isinstance(item, Exchange):
                item.fail(why)
        return [item for item in items if isinstance(item, Received)]

    async def write(self) -> None:
        """Until the connection is lost: raises one of `LOST`."""
        while True:
            if not self._waiting:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
            self._write_some()
            await self._wire.drain()

    async def read(self) -> None:
        """As `write`."""
        while True:
            for reply in await self._wire.read():
                self._take(reply)
            if self._flushed is not None and not (self._unanswered or self._flushed.done()):
                self._flushed.set_result(None)
            self._heard_at = asyncio.get_running_loop().time()

    async def flush(self) -> None:
        """Write what waits, and wait until all is answered; `read` must run."""
        while self._waiting:
            self._write_some()
        if self._unanswered:
            self._flushed = asyncio.get_running_loop().create_future()
            await self._flushed

    def _write_some(self) -> None:
        self._note_start()
        verb, waiting, unanswered = self._verb, self._waiting, self._unanswered
        pieces: list[bytes] = []
        size = 0
        while waiting and size < _PIPELINE_BYTES:
            item = waiting.popleft()
            packed = item.packed if isinstance(item, Exchange) else pack((verb, item.channel, item.payload))
            unanswered.append(item)
            pieces.append(packed)
            size += len(packed)
        self._wire.write(b"".join(pieces))

    def _note_start(self) -> None:
        if not self._unanswered:
            self._heard_at = asyncio.get_running_loop().time()

    def _take(self, reply: Any) -> None:
        item = self._unanswered[0]
        refused = isinstance(reply, ReplyError)
        if isinstance(item, Exchange):
            if item.take(reply):
                self._unanswered.popleft()
            if refused and str(reply).startswith(_MOVED):
                raise reply
            return
        if refused:
            raise reply
        self._unanswered.popleft()
        if isinstance(item, Received):
            self._answered(item)
