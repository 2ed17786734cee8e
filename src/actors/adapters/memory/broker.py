"""A broker in memory: a hub that several brokers share, as nodes share a Redis, and what can go wrong with it."""

from collections.abc import Collection, Sequence

import trio
from trio import TASK_STATUS_IGNORED

from actors.bridge.broker import Away, Back, BrokerState, BrokerStatus, Followed, Happening, Received


class MemoryHub:
    """What the brokers have in common. Faults are for the deliveries from now on.

    `lose` and `double` name channels whose publishes reach nobody, or everybody twice; `delay` is in seconds, for
    what is published while it is set, and keeps the order.
    """

    def __init__(self) -> None:
        self.lose: set[str] = set()
        self.double: set[str] = set()
        self.delay = 0.0
        self._brokers: list[MemoryBroker] = []

    def add(self, broker: "MemoryBroker") -> None:
        self._brokers.append(broker)

    def deliver(self, item: Received) -> None:
        if item.channel not in self.lose:
            for broker in self._brokers:
                for _ in range(2 if item.channel in self.double else 1):
                    broker.hear(item)


class MemoryBroker:
    """`Broker` on a hub. It is away until it runs, and again from `go_away` to `come_back`."""

    def __init__(self, hub: MemoryHub, *, outbox: int = 1024) -> None:
        self._hub = hub
        self._limit = outbox
        self._wanted: dict[str, None] = {}
        self._inbox: list[Happening] = []
        self._news = trio.Event()
        self._outbox: list[tuple[float, Received]] = []
        self._work = trio.Event()
        self._runs = False
        self._cut = False
        self._is_up = False
        self._since = 0.0
        self._reconnects = self._published = self._refused = self._lost = self._received = 0
        hub.add(self)

    @property
    def state(self) -> BrokerState:
        return BrokerState(
            BrokerStatus.UP if self._is_up else BrokerStatus.AWAY,
            self._since,
            None if self._is_up else "away",
            reconnects=self._reconnects,
            outbox=len(self._outbox),
            outbox_bytes=sum(len(item.payload) for _, item in self._outbox),
            inbox=len(self._inbox),
            published=self._published,
            refused=self._refused,
            lost=self._lost,
            received=self._received,
            round_trip=self._hub.delay if self._reconnects else None,
        )

    def publish(self, channel: str, payload: bytes) -> bool:
        if not self._is_up or len(self._outbox) >= self._limit:
            self._refused += 1
            return False
        self._published += 1
        self._outbox.append((trio.current_time() + self._hub.delay, Received(channel, payload)))
        self._work.set()
        return True

    def follow(self, channels: Collection[str]) -> None:
        self._wanted.update(dict.fromkeys(channels))
        if self._is_up and channels:
            self._put(Followed(tuple(channels)))

    def unfollow(self, channels: Collection[str]) -> None:
        for channel in channels:
            self._wanted.pop(channel, None)

    async def receive(self) -> Sequence[Happening]:
        await trio.lowlevel.checkpoint()
        while not self._inbox:
            self._news = trio.Event()
            await self._news.wait()
        inbox, self._inbox = self._inbox, []
        return inbox

    async def run(self, *, task_status: trio.TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        self._runs = True
        self._since = trio.current_time()
        if not self._cut:
            self._connect()
        task_status.started()
        try:
            while True:
                await self._work.wait()
                self._work = trio.Event()
                while self._outbox:
                    await trio.sleep_until(self._outbox[0][0])
                    if self._outbox:
                        self._hub.deliver(self._outbox.pop(0)[1])
        finally:
            self._runs = False
            outbox, self._outbox = self._outbox, []
            for _, item in outbox:
                self._hub.deliver(item)
            self._disconnect()

    def hear(self, item: Received) -> None:
        if self._is_up and item.channel in self._wanted:
            self._received += 1
            self._put(item)

    def go_away(self) -> None:
        """Its connections are lost, and cannot be made anew."""
        self._cut = True
        self._disconnect()

    def come_back(self) -> None:
        self._cut = False
        if self._runs:
            self._connect()

    def _connect(self) -> None:
        self._is_up = True
        self._since = trio.current_time()
        self._reconnects += 1
        self._put(Back())
        if self._wanted:
            self._put(Followed(tuple(self._wanted)))

    def _disconnect(self) -> None:
        if self._is_up:
            self._is_up = False
            self._since = trio.current_time()
            lost, self._outbox = [item for _, item in self._outbox], []
            self._lost += len(lost)
            self._put(Away(lost))

    def _put(self, happening: Happening) -> None:
        self._inbox.append(happening)
        self._news.set()
