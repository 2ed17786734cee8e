"""The WebSocket to a node's management port, kept up while nodes come and go.

By `websockets`, on Textual's own loop: it is the maintained asyncio client, knows Unix sockets, and needs neither a
thread nor a second loop, so what a node tells arrives where it is drawn.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import WebSocketException

from chatconsole.api import messages as api
from chatconsole.beacon import Beacon
from chatconsole.client import ConsoleError

OPEN_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 0.5
"""Seconds that a node may take to answer the end of the connection."""
ANSWER_TIMEOUT: Final = 20.0
"""Seconds for one answer; a node gives up after fifteen."""
RETRY_FIRST: Final = 0.2
RETRY_MOST: Final = 2.0
"""Seconds between two attempts."""
MOST_WAITING: Final = 64
"""Requests that may wait to be sent."""
FIRST_REQUEST: Final = 100
"""Lower ids are those of watches."""

_decode: Final = msgspec.json.Decoder(api.Answer).decode
_encode: Final = msgspec.json.Encoder().encode


class Listener(Protocol):
    """Who is told; called on the loop, and must be quick."""

    def on_up(self, beacon: Beacon) -> None: ...

    def on_down(self, beacon: Beacon, reason: str) -> None: ...

    def on_answer(self, answer: api.Answer) -> None:
        """What was not asked by `Link.ask`."""
        ...


class Link:
    """One node at a time. `successor` tells which node to go on with when one is gone."""

    def __init__(self, listener: Listener, successor: Callable[[Beacon], Beacon | None]) -> None:
        self._listener = listener
        self._successor = successor
        self._wanted: Beacon | None = None
        self._chosen = asyncio.Event()
        self._conversation: asyncio.Task[str] | None = None
        self._outgoing = asyncio.Queue[api.Request](MOST_WAITING)
        self._standing: dict[int, api.Request] = {}
        self._asked: dict[int, asyncio.Future[api.Answer]] = {}
        self._numbers = itertools.count(FIRST_REQUEST)
        self.is_up = False

    async def run(self) -> None:
        """Until it is cancelled."""
        retry = RETRY_FIRST
        while True:
            await self._chosen.wait()
            assert self._wanted is not None
            beacon = self._wanted
            conversation = self._conversation = asyncio.create_task(self._converse(beacon))
            try:
                await asyncio.wait({conversation})
            finally:
                conversation.cancel()
                was_up = self._down()
                await asyncio.wait({conversation})
            if conversation.cancelled():
                continue
            self._listener.on_down(beacon, conversation.result())
            retry = RETRY_FIRST if was_up else min(RETRY_MOST, retry * 2)
            await asyncio.sleep(retry)
            if self._wanted is beacon:
                self._wanted = self._successor(beacon) or beacon

    def switch(self, beacon: Beacon) -> None:
        """To another node; the watches go along."""
        self._wanted = beacon
        self._chosen.set()
        if self._conversation is not None:
            self._conversation.cancel()

    def stand(self, request: api.Request) -> None:
        """Ask for something that goes on until `stop`, over reconnections too; in place of what has the same id."""
        self._standing[request.id] = request
        if self.is_up:
            self._post(request)

    def stands(self, request: api.Request) -> bool:
        """Whether exactly this is being asked for."""
        return self._standing.get(request.id) == request

    def stop(self, number: int) -> None:
        if self._standing.pop(number, None) is not None and self.is_up:
            self._post(api.Stop(number))

    async def ask(self, make: Callable[[int], api.Request]) -> api.Answer:
        """The answer to one request, which `make` makes of its id. Raises `ConsoleError`, also when it is refused."""
        if not self.is_up:
            raise ConsoleError("no node is connected")
        number = next(self._numbers)
        answered = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._post(make(number))
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answer = await answered
        except TimeoutError:
            raise ConsoleError("the node gave no answer in time") from None
        finally:
            self._asked.pop(number, None)
        if isinstance(answer, api.Refused):
            raise ConsoleError(answer.message)
        return answer

    async def _converse(self, beacon: Beacon) -> str:
        """Until the connection ends, and why it did."""
        try:
            async with _connected(beacon) as connection:
                self.is_up = True
                self._listener.on_up(beacon)
                for request in self._standing.values():
                    self._post(request)
                sender = asyncio.create_task(self._send(connection))
                try:
                    async for message in connection:
                        self._take(message)
                finally:
                    sender.cancel()
                    await asyncio.wait({sender})
                return "it closed the connection"
        except (OSError, TimeoutError, WebSocketException) as error:
            return str(error) or type(error).__name__
        except msgspec.DecodeError as error:
            return f"this console does not understand the node's answer: {error}"

    async def _send(self, connection: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await connection.send(_encode(await self._outgoing.get()).decode())

    def _take(self, message: str | bytes) -> None:
        answer = _decode(message)
        asked = None if answer.id is None else self._asked.get(answer.id)
        if asked is None:
            self._listener.on_answer(answer)
        elif not asked.done():
            asked.set_result(answer)

    def _post(self, request: api.Request) -> None:
        try:
            self._outgoing.put_nowait(request)
        except asyncio.QueueFull:
            raise ConsoleError("the node takes no more requests") from None

    def _down(self) -> bool:
        """Nothing is on its way any more; whether anything could have been."""
        was_up, self.is_up = self.is_up, False
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
        for answered in self._asked.values():
            if not answered.done():
                answered.set_exception(ConsoleError("the connection to the node ended"))
        return was_up


def _connected(beacon: Beacon) -> AbstractAsyncContextManager[ClientConnection]:
    headers = {"Authorization": f"Bearer {beacon.token}"}
    path = f"{api.PREFIX}/ws"
    if beacon.host.startswith("/"):
        return unix_connect(
            beacon.host,
            f"ws://localhost{path}",
            additional_headers=headers,
            max_size=None,
            compression=None,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=CLOSE_TIMEOUT,
        )
    host = f"[{beacon.host}]" if ":" in beacon.host else beacon.host
    return connect(
        f"ws://{host}:{beacon.port}{path}",
        additional_headers=headers,
        max_size=None,
        compression=None,
        open_timeout=OPEN_TIMEOUT,
        close_timeout=CLOSE_TIMEOUT,
        proxy=None,
    )
