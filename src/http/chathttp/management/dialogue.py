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

    def __init__(self, console: Console, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self._console = console
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
            if isinstance(request, api.Watch):
                self._start(request, watches)
            else:
                await self._perform(request)
        except ChatError as error:
            await self._answer(_refused(request.id, error))
        except Exception:
            _log.exception("request failed")
            await self._answer(_refused(request.id, internal_error()))

    async def _perform(
        self, request: api.Look | api.Stop | api.Follow | api.AskStack | api.Act | api.Confirm | api.Run
    ) -> None:
        match request:
            case api.Look():
                await self._answer(api.Seen(request.id, await self._console.look(request.view)))
            case api.Stop():
                self._stop(request.id)
            case api.AskStack():
                await self._answer(api.Stacked(request.id, await self._console.stack(request.task)))
            case api.Act():
                action, says = self._console.prepare(request)
                await self._answer(api.Asked(request.id, self._pending.add(action), says, CONFIRM_SECONDS))
            case api.Confirm():
                says = await self._console.perform(self._pending.take(request.nonce))
                await self._answer(api.Done(request.id, says))
            case api.Follow() | api.Run():
                raise ChatError(ErrorCode.FORBIDDEN, "This node does not do that")
            case _:
                assert_never(request)

    def _start(self, request: api.Watch, watches: trio.Nursery) -> None:
        self._stop(request.id)
        if len(self._watches) >= MOST_WATCHES:
            raise ChatError(ErrorCode.OVERLOADED, f"at most {MOST_WATCHES} watches a connection")
        scope = self._watches[request.id] = trio.CancelScope()
        watches.start_soon(self._watch, request, scope)

    def _stop(self, number: int) -> None:
        scope = self._watches.pop(number, None)
        if scope is not None:
            scope.cancel()

    async def _watch(self, request: api.Watch, scope: trio.CancelScope) -> None:
        every = max(LEAST_INTERVAL, request.every if math.isfinite(request.every) else 1.0)
        with scope:
            while True:
                next_at = trio.current_time() + every
                try:
                    answer: api.Answer = api.Seen(request.id, await self._console.look(request.view))
                except ChatError as error:
                    answer = _refused(request.id, error)
                await self._answer(answer)
                await trio.sleep_until(next_at)

    async def _answer(self, answer: api.Answer) -> None:
        async with self._sending:
            await self._send({"type": "websocket.send", "bytes": None, "text": _encode(answer).decode()})


def _refused(number: int, error: ChatError) -> api.Refused:
    return api.Refused(number, error.code.value, error.message)
