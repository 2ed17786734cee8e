"""One console on the WebSocket: requests in, answers out, in the management thread's loop."""

import math
from typing import Final, assert_never

import msgspec
import structlog
import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from chatconsole.api import messages as api
from chatcore.errors import ChatError, ErrorCode
from chathttp.errors import internal_error
from chathttp.management.console import CONFIRM_SECONDS, Console, Pending
from chathttp.management.repl import Repl

LEAST_INTERVAL: Final = 0.1
"""Seconds between two snapshots of a watch."""
MOST_WATCHES: Final = 8
"""Of one connection."""

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chathttp.console")
_decode: Final = msgspec.json.Decoder(api.Request).decode
_encode: Final = msgspec.json.Encoder().encode


class Dialogue:
    """Requests are answered one after the other; watches go on beside. A console that does not read holds up its own
    answers only.
    """

    def __init__(self, console: Console, receive: ASGIReceiveCallable, send: ASGISendCallable, who: str) -> None:
        """`who` it is, for the log."""
        self._console = console
        self._who = who
        self._repl: Repl | None = None
        self._receive = receive
        self._send = send
        self._sending = trio.Lock()
        self._pending = Pending()
        self._watches: dict[int, trio.CancelScope] = {}

    async def run(self) -> None:
        """Until the peer ends it."""
        async with self._console.watching(), trio.open_nursery() as watches:
            while True:
                event = await self._receive()
                if event["type"] != "websocket.receive":
                    break
                await self._take(event["text"] or event["bytes"] or b"", watches)
            watches.cancel_scope.cancel()

    async def _take(self, message: str | bytes, watches: trio.Nursery) -> None:
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await self._answer(api.Refused(None, "VALIDATION_ERROR", str(error)))
            return
        try:
            if isinstance(request, api.Watch | api.Follow):
                self._start(request, watches)
            else:
                await self._perform(request)
        except ChatError as error:
            await self._answer(_refused(request.id, error))
        except Exception:
            _log.exception("request failed")
            await self._answer(_refused(request.id, internal_error()))

    async def _perform(self, request: api.Look | api.Stop | api.AskStack | api.Act | api.Confirm | api.Run) -> None:
        match request:
            case api.Look():
                await self._answer(api.Seen(request.id, await self._console.look(request.view, self._who)))
            case api.Stop():
                self._stop(request.id)
            case api.AskStack():
                await self._answer(api.Stacked(request.id, await self._console.stack(request.task)))
            case api.Act():
                action, says = self._console.prepare(request)
                await self._answer(api.Asked(request.id, self._pending.add(action), says, CONFIRM_SECONDS))
            case api.Confirm():
                says = await self._console.perform(self._pending.take(request.nonce), self._who)
                await self._answer(api.Done(request.id, says))
            case api.Run():
                self._repl = self._repl or self._console.repl()
                await self._answer(await self._console.run(self._repl, request, self._who))
            case _:
                assert_never(request)

    def _start(self, request: api.Watch | api.Follow, watches: trio.Nursery) -> None:
        self._stop(request.id)
        if len(self._watches) >= MOST_WATCHES:
            raise ChatError(ErrorCode.OVERLOADED, f"at most {MOST_WATCHES} watches a connection")
        scope = self._watches[request.id] = trio.CancelScope()
        if isinstance(request, api.Watch):
            watches.start_soon(self._watch, request, scope)
        else:
            watches.start_soon(self._follow, request, scope)

    def _stop(self, number: int) -> None:
        scope = self._watches.pop(number, None)
        if scope is not None:
            scope.cancel()

    async def _watch(self, request: api.Watch, scope: trio.CancelScope) -> None:
        every = _bounded(request.every)
        with scope:
            async with self._console.timing(request.view):
                await self._look_each(every, request)

    async def _look_each(self, every: float, request: api.Watch) -> None:
        while True:
            next_at = trio.current_time() + every
            try:
                answer: api.Answer = api.Seen(request.id, await self._console.look(request.view, self._who))
            except ChatError as error:
                answer = _refused(request.id, error)
            await self._answer(answer)
            await trio.sleep_until(next_at)

    async def _follow(self, request: api.Follow, scope: trio.CancelScope) -> None:
        every = _bounded(request.every)
        if request.reveal:
            _log.warning("console: users revealed", who=self._who, sections=["traces"])
        with scope:
            try:
                async with self._console.follow(request) as take:
                    await self._answer(api.Traces(request.id, [], 0))
                    while True:
                        await trio.sleep(every)
                        try:
                            traces = await take()
                        except ChatError as error:
                            await self._answer(_refused(request.id, error))
                            return
                        if traces is not None:
                            await self._answer(traces)
            except ChatError as error:
                await self._answer(_refused(request.id, error))

    async def _answer(self, answer: api.Answer) -> None:
        async with self._sending:
            await self._send({"type": "websocket.send", "bytes": None, "text": _encode(answer).decode()})


def _bounded(every: float) -> float:
    return max(LEAST_INTERVAL, every if math.isfinite(every) else 1.0)


def _refused(number: int, error: ChatError) -> api.Refused:
    return api.Refused(number, error.code.value, error.message)
