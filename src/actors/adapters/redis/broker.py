"""Redis as trio tasks see it: batches cross to one asyncio loop, in which redis-py and all connections live."""

import asyncio
import logging
import random
from collections.abc import Collection, Sequence
from typing import Any, Final

import trio
from attrs import define, frozen
from trio import TASK_STATUS_IGNORED

from actors.adapters.redis.commands import Exchange
from actors.adapters.redis.driver import LOST, Answer, Command, Target, open_loop
from actors.adapters.redis.inbox import Inbox
from actors.adapters.redis.session import Limits, Session
from actors.adapters.redis.topology import ALONE, ask_topology
from actors.bridge.broker import Away, Back, BrokerState, BrokerStatus, Followed, Happening, Received
from actors.runtime.reply import Reply, Waiter
from chatcore.errors import overloaded, unavailable

_log = logging.getLogger(__name__)

_BACKOFF_FIRST: Final = 0.05
_BACKOFF_MOST: Final = 2.0
_CALLS: Final = 1024
"""Exchanges whose answers are due at once, whether or not somebody still waits for them."""


@frozen(kw_only=True)
class RedisOptions:
    """How to reach Redis and what may wait for it: seconds, counts, bytes. `node` names this node's probes."""

    url: str
    node: str
    cluster: bool = False
    timeout: float = 1.0
    probe_interval: float = 0.5
    outbox: int = 16_384
    outbox_bytes: int = 33_554_432
    inbox: int = 4096
    inbox_bytes: int = 16_777_216


@define
class _Totals:
    reconnects: int = 0
    published: int = 0
    refused: int = 0
    lost: int = 0


class RedisBroker:
    """`Broker` on Redis or Valkey, and commands for what is stored there.

    Two connections to the server, or in a cluster to each master. The waits between attempts to connect double from 50
    ms to 2 s, half of each drawn at random.
    """

    def __init__(self, options: RedisOptions, rng: random.Random) -> None:
        self._options = options
        self._target = Target(options.url, options.timeout)
        self._rng = rng
        self._wanted: dict[str, None] = {}
        self._inbox = Inbox(options.inbox, options.inbox_bytes)
        self._session: Session | None = None
        self._is_up = False
        self._since = 0.0
        self._error: str | None = "not started"
        self._totals = _Totals()
        self._outbox = 0
        self._outbox_bytes = 0
        self._calls = 0
        self._round_trip: float | None = None

    @property
    def state(self) -> BrokerState:
        totals = self._totals
        return BrokerState(
            BrokerStatus.UP if self._is_up else BrokerStatus.AWAY,
            self._since,
            None if self._is_up else self._error,
            reconnects=totals.reconnects,
            outbox=self._outbox,
            outbox_bytes=self._outbox_bytes,
            inbox=len(self._inbox),
            published=totals.published,
            refused=totals.refused,
            lost=totals.lost,
            received=self._inbox.received,
            round_trip=self._round_trip if self._session is None else self._session.round_trip,
        )

    def publish(self, channel: str, payload: bytes) -> bool:
        options = self._options
        if (
            not self._is_up
            or self._session is None
            or self._outbox >= options.outbox
            or self._outbox_bytes + len(payload) > options.outbox_bytes
        ):
            self._totals.refused += 1
            return False
        self._outbox += 1
        self._outbox_bytes += len(payload)
        self._totals.published += 1
        self._session.publish(Received(channel, payload))
        return True

    def follow(self, channels: Collection[str]) -> None:
        self._wanted.update(dict.fromkeys(channels))
        if self._session is not None:
            self._session.change(channels, follow=True)

    def unfollow(self, channels: Collection[str]) -> None:
        for channel in channels:
            self._wanted.pop(channel, None)
        if self._session is not None:
            self._session.change(channels, follow=False)

    async def receive(self) -> Sequence[Happening]:
        return await self._inbox.fetch()

    async def call(self, key: str, commands: Sequence[Command]) -> list[Answer]:
        """The answers to commands that all concern `key`, sent as one pipeline to the server that has it.

        Raises `UNAVAILABLE`, and then the outcome is unknown: while Redis is away, when it refuses one of them, and
        when it does not answer in time; `OVERLOADED` when the answers to too many are due. What nobody waits for any
        more counts until it is answered, or the connection is lost.
        """
        session = self._session
        if session is None or not self._is_up:
            raise unavailable("Redis is away")
        if self._calls >= _CALLS:
            raise overloaded()
        waiter = Waiter[list[Answer]]()
        reply = Reply[list[Answer]].to(waiter.settle, trio.current_time() + self._options.timeout)
        session.ask(key, Exchange(commands, reply, self._exchange_over))
        self._calls += 1
        return await waiter.wait(reply)

    async def run(self, *, task_status: trio.TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """As in the port; what is queued at a cancellation is given a second."""
        self._since = trio.current_time()
        async with open_loop() as loop:
            loop.set_exception_handler(_report)
            task_status.started()
            await loop.run_aio_coroutine(self._serve())

    async def _serve(self) -> None:
        wait = _BACKOFF_FIRST
        while True:
            was_up = await self._serve_once()
            if was_up:
                wait = _BACKOFF_FIRST
            await asyncio.sleep(wait * (1 - self._rng.random() / 2))
            wait = min(wait * 2, _BACKOFF_MOST)

    async def _serve_once(self) -> bool:
        """One session. Whether it was ever proven; always so that one was tried, and is over."""
        why: BaseException = asyncio.CancelledError()
        session: Session | None = None
        was_up = False
        try:
            topology = await ask_topology(self._target) if self._options.cluster else ALONE
            session = Session(topology, Limits(self._options.timeout, self._options.probe_interval), self)
            await session.open(self._target)
            session.attach(self._options.node, self._wanted, self._answered)
            self._session = session
            await session.run(self._proven)
        except LOST as error:
            why = error
        finally:
            was_up = self._is_up
            self._end(session, why)
        return was_up

    def _proven(self) -> None:
        self._is_up = True
        self._since = trio.current_time()
        self._totals.reconnects += 1
        _log.info("Redis is up")
        self._inbox.put(Back())

    def _end(self, session: Session | None, why: BaseException) -> None:
        lost: list[Received] = []
        self._session = None
        if session is not None:
            self._round_trip = session.round_trip
            lost = session.close(why)
        self._outbox = self._outbox_bytes = 0
        self._totals.lost += len(lost)
        was, self._error = self._error, f"{type(why).__name__}: {why}"
        # Told once, not at each attempt; a cancellation is nothing to tell of.
        if isinstance(why, LOST) and (self._is_up or self._error != was):
            _log.warning("Redis is away: %s", self._error)
        if self._is_up:
            self._is_up = False
            self._since = trio.current_time()
            self._inbox.put(Away(lost))

    def _answered(self, item: Received) -> None:
        self._outbox -= 1
        self._outbox_bytes -= len(item.payload)

    def _exchange_over(self) -> None:
        self._calls -= 1

    # What the session hears

    def received(self, channel: str, payload: bytes) -> None:
        if channel in self._wanted:
            self._inbox.put(Received(channel, payload))

    def followed(self, channels: Sequence[str]) -> None:
        wanted = tuple(channel for channel in channels if channel in self._wanted)
        if wanted:
            self._inbox.put(Followed(wanted))

    async def room(self) -> None:
        await self._inbox.room()


def _report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # trio-asyncio's own handler ends the loop; what ends up here is an afterthought about a dead connection.
    _log.error("in Redis's loop: %s", context.get("message"), exc_info=context.get("exception"))
