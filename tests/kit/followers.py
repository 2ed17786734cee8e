"""A client of one conversation that resumes after every loss, and checks all it is given."""

import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import attrs
import trio

from actors.conversation.messages import Detach
from actors.conversation.subscription import Encoded, Place, Subscription, Topic
from chatcore.errors import ChatError
from chathttp.edge.transport import ConnectionEnded, FrameTransport
from chathttp.session.replay import From, Replay, Start
from chathttp.session.services import SessionServices
from chathttp.session.subscriptions import TopicSubscription
from tests.kit.conversations import Node
from tests.kit.listening import PlainFormat


@attrs.frozen
class ReplayFormat(PlainFormat):
    def truncated_frames(self, events: Sequence[Encoded]) -> bytes:
        return self.message_frames(events)


@attrs.define(eq=False)
class Connection:
    """One connection's subscription; implements `Subscription` and what `Replay` needs of one, and its transport."""

    conversation_id: UUID
    user_id: UUID
    heard: Callable[[Encoded], None]
    pause: Callable[[], Awaitable[None]]
    counts_as_delivered: bool = True
    rev: int = -1
    slow: bool = False
    topic: Topic = Topic.MESSAGES
    format: ReplayFormat = attrs.field(factory=ReplayFormat)
    revs: list[int] = attrs.field(factory=list[int])
    place: Place | None = None
    over: trio.Event = attrs.field(factory=trio.Event)

    @property
    def closed(self) -> bool:
        return self.over.is_set()

    @closed.setter
    def closed(self, value: bool) -> None:
        assert value
        self.over.set()
        if self.place is not None:
            self.place.someone_closed()

    @property
    def outlet(self) -> "Connection":
        return self

    def direct(self, frames: bytes) -> int:
        if self.slow:
            raise BlockingIOError
        self.offer(frames)
        return len(frames)

    def rest(self, frames: bytes, taken: int) -> None:
        raise AssertionError("takes all or nothing")

    def offer(self, frames: bytes) -> bool:
        assert not self.closed
        self.expect_acks(self.format.read(frames))
        return not self.slow

    def deliver(self, frames: bytes, events: Sequence[Encoded]) -> bool:
        assert frames == self.format.message_frames(events)
        return self.offer(frames)

    def queued(self, events: Sequence[Encoded]) -> None:
        """What is late is told again by nobody here."""

    def expect_acks(self, events: Sequence[Encoded]) -> None:
        """Replays and live deliveries alike come through here."""
        for event in events:
            assert not self.revs or event.rev > self.revs[-1], f"{event.rev} after {self.revs[-1]}"
            self.revs.append(event.rev)
            self.heard(event)

    async def send(self, frames: bytes) -> None:
        await self.pause()
        if self.closed:
            raise ConnectionEnded(1006)

    def end(self) -> None:
        self.closed = True


def replay_services(node: Node, page: int) -> SessionServices:
    """What `Replay` uses of a session's services; the rest is not there."""
    policy = SimpleNamespace(ask_timeout=5.0, replay_limit=1000, replay_page=page)
    services = SimpleNamespace(
        conversations=node.conversations,
        history=node.chat.history,
        encoder=node.encoder,
        replay_readers=trio.CapacityLimiter(4),
        policy=policy,
    )
    return cast(SessionServices, services)


@attrs.define(eq=False)
class Follower:
    """Knows each message as the last event of it said. `by` is how it resumes."""

    conversation_id: UUID
    user_id: UUID
    by: From
    rng: random.Random
    may_hear: Callable[[UUID, Encoded], bool]
    last_seq: int = 0
    last_rev: int = 0
    texts: dict[int, str] = attrs.field(factory=dict[int, str])

    def hear(self, event: Encoded) -> None:
        assert self.may_hear(self.user_id, event), f"rev {event.rev} after removal"
        if event.kind == "message.created":
            assert event.seq == self.last_seq + 1, f"seq {event.seq} after {self.last_seq}"
            self.last_seq = event.seq
        assert event.seq <= self.last_seq
        self.last_rev = max(self.last_rev, event.rev)
        self.texts[event.seq] = json.loads(event.body)["text"]

    async def follow(self, choose: Callable[[], Node], lifetime: Callable[[], float], page: int) -> None:
        """Connect to some node, stay for a while, hang up with or without a word, and again, until cancelled."""
        while True:
            node = choose()
            connection = Connection(self.conversation_id, self.user_id, self.hear, self._pause)
            connection.slow = self.rng.random() < 0.3
            with trio.move_on_after(lifetime()):
                await self._connect(node, connection, page)
                await connection.over.wait()
            connection.closed = True
            live = node.conversations.live(self.conversation_id)
            if live is not None and self.rng.random() < 0.5:
                with suppress(ChatError):
                    live.tell(Detach(cast(Subscription, connection)))
            await trio.sleep(self.rng.random())

    async def _connect(self, node: Node, connection: Connection, page: int) -> None:
        replay = Replay(
            replay_services(node, page),
            cast(FrameTransport, connection),
            cast(TopicSubscription, connection),
            Start(self.by, self.last_rev if self.by is From.REV else self.last_seq),
        )
        try:
            await replay.run(await replay.admit())
        except (ChatError, ConnectionEnded, RuntimeError):
            connection.closed = True

    async def _pause(self) -> None:
        await trio.sleep(self.rng.choice([0, 0, 0.05, 0.5]))
