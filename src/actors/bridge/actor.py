"""The bridge: what the actors of this node and those of the others tell each other, by a broker."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import assert_never
from uuid import UUID

import trio
from attrs import field, frozen
from trio import TASK_STATUS_IGNORED

from actors.bridge.broker import Away, Back, Broker, BrokerState, Followed, Happening, Received
from actors.bridge.channels import NODES, NOTICES, Channels, Kind
from actors.bridge.envelope import Envelopes, Traced
from actors.bridge.incoming import Incoming, LiveConversations, TraceKeeper
from actors.bridge.news import News
from actors.bridge.outgoing import Outgoing, OutgoingLimits
from actors.bridge.peers import Peers
from actors.bridge.staleness import Copied, Stale
from actors.bridge.sweeper import Progress, Sweeper, SweepPolicy
from actors.presence.ports import PresenceNews
from actors.users.messages import Notify


@frozen
class BridgePolicy:
    """`beat_interval` in seconds; after `slice_size` messages from the broker the other tasks run."""

    sweep: SweepPolicy = field(factory=SweepPolicy)
    outgoing: OutgoingLimits = field(factory=OutgoingLimits)
    beat_interval: float = 0.5
    slice_size: int = 64


@frozen(kw_only=True)
class BridgeFigures:
    """One moment of the bridge; totals are since the start, by kind where there are several."""

    broker: BrokerState
    peers: int
    overdue: int
    coalesced: int
    dropped_out: Counter[str]
    dropped_in: Counter[str]
    unknown: int
    malformed: int
    sweeps: int
    sweep_failures: int
    found: int


class Bridge:
    """`Relay`, `PresenceRelay` and `StaleRelay` over a `Broker`.

    Mailbox: none, what is told goes to the broker's bounded queue at once. Full, or away: a commit is told of once
    there is room again (one `Advanced` a conversation), all else is dropped and counted. What comes in goes to the
    mailboxes of whom it concerns; a full one has the conversation told again. Owns which channels are followed, the
    other nodes' beats, and the sweep. Permanent: after a restart all that is followed is followed anew.
    """

    alone = False
    """Even while the broker is away: what is committed then is told of later."""

    def __init__(
        self,
        node_id: UUID,
        broker: Broker,
        progress: Progress,
        *,
        conversations: Callable[[], LiveConversations],
        marks_watched: Callable[[], Collection[UUID]],
        tell_users: Callable[[Notify], None],
        policy: BridgePolicy | None = None,
    ) -> None:
        self._policy = policy or BridgePolicy()
        self._broker = broker
        self._envelopes = Envelopes(node_id)
        self._channels = Channels()
        self._peers = Peers(self._policy.beat_interval)
        self._outgoing = Outgoing(broker, self._envelopes, self._channels, self._peers, self._policy.outgoing)
        self._incoming = Incoming(self._envelopes, self._channels, conversations, tell_users, self._peers)
        self._is_up = False
        self._was_hurried = False
        self._sweeper = Sweeper(
            progress,
            lambda: conversations().keys(),
            marks_watched,
            self._incoming.tell,
            self._is_hurried,
            self._policy.sweep,
        )
        broker.follow([NODES, *NOTICES])

    def follow_conversation(self, conversation_id: UUID) -> None:
        self._broker.follow([self._channels.add(Kind.CONVERSATION, conversation_id)])

    def unfollow_conversation(self, conversation_id: UUID) -> None:
        self._broker.unfollow([self._channels.discard(Kind.CONVERSATION, conversation_id)])

    def tell_conversation(self, conversation_id: UUID, news: News) -> None:
        self._outgoing.conversation(conversation_id, news)

    def follow_user(self, user_id: UUID) -> None:
        self._broker.follow([self._channels.add(Kind.USER, user_id)])

    def unfollow_user(self, user_id: UUID) -> None:
        self._broker.unfollow([self._channels.discard(Kind.USER, user_id)])

    def tell_users(self, notify: Notify) -> None:
        self._outgoing.users(notify)

    def follow_presence(self, user_id: UUID) -> None:
        self._broker.follow([self._channels.add(Kind.PRESENCE, user_id)])

    def unfollow_presence(self, user_id: UUID) -> None:
        self._broker.unfollow([self._channels.discard(Kind.PRESENCE, user_id)])

    def tell_presence(self, user_id: UUID, *, online: bool) -> None:
        self._outgoing.presence(user_id, online=online)

    def tell_stale(self, what: Copied, *keys: UUID) -> None:
        self._outgoing.stale(Stale(what.value, keys))

    def give_stale_to(self, what: Copied, outdated: Callable[[tuple[UUID, ...]], None]) -> None:
        """Who is told what the other nodes have changed, as `CopyKeepers.add`."""
        self._incoming.copies.add(what, outdated)

    @property
    def hears_all(self) -> bool:
        """False while word of other nodes may be lost, until all copies are in doubt because of it."""
        return not (self._was_hurried or self._is_hurried())

    def give_presence_to(self, presence: PresenceNews) -> None:
        """Who is told what the other nodes tell of presence."""
        self._incoming.presence = presence

    def give_traces_to(self, traces: TraceKeeper) -> None:
        """Who keeps the ways of the messages that are followed, here or on another node."""
        self._incoming.traces = traces

    def tell_traced(self, traced: Traced) -> None:
        """To the node that follows it; best effort."""
        self._outgoing.traced(traced)

    @property
    def state(self) -> BrokerState:
        return self._broker.state

    def figures(self) -> BridgeFigures:
        return BridgeFigures(
            broker=self._broker.state,
            peers=len(self._peers),
            overdue=self._outgoing.waiting,
            coalesced=self._outgoing.coalesced,
            dropped_out=self._outgoing.dropped,
            dropped_in=self._incoming.dropped,
            unknown=self._envelopes.unknown,
            malformed=self._envelopes.malformed,
            sweeps=self._sweeper.sweeps,
            sweep_failures=self._sweeper.failures,
            found=self._sweeper.told,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Until cancelled; started at once, whether or not the broker is there."""
        # Shielded, it outlives the tasks beside it and ends with them: their last words are still sent.
        carrying = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(self._carry, carrying)
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(self._receive)
                    tasks.start_soon(self._outgoing.run)
                    tasks.start_soon(self._incoming.run)
                    tasks.start_soon(self._sweeper.run)
                    tasks.start_soon(self._beat)
                    task_status.started()
            finally:
                carrying.cancel()

    async def _carry(
        self, carrying: trio.CancelScope, *, task_status: trio.TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        with carrying:
            await self._broker.run(task_status=task_status)

    async def _receive(self) -> None:
        while True:
            happenings = await self._broker.receive()
            for start in range(0, len(happenings), self._policy.slice_size):
                self._handle(happenings[start : start + self._policy.slice_size])
                await trio.lowlevel.checkpoint()

    def _handle(self, happenings: Sequence[Happening]) -> None:
        for happening in happenings:
            match happening:
                case Received():
                    self._incoming.hear(happening)
                case Followed(channels):
                    self._in_force(channels)
                case Away(lost):
                    self._is_up = False
                    self._outgoing.away(lost)
                    self._sweeper.hurry()
                case Back():
                    self._is_up = True
                    self._outgoing.back()
                    self._incoming.copies.doubt_all()
                    self._outgoing.beat()
                    if self._incoming.presence is not None:
                        self._incoming.presence.restored()
                case _:
                    assert_never(happening)

    def _in_force(self, channels: Sequence[str]) -> None:
        found = [each for each in map(self._channels.find, channels) if each is not None]
        self._sweeper.check(key for kind, key in found if kind is Kind.CONVERSATION)
        users = [key for kind, key in found if kind is Kind.PRESENCE]
        if users and self._incoming.presence is not None:
            self._incoming.presence.doubt(users)

    async def _beat(self) -> None:
        try:
            while True:
                self._outgoing.beat()
                is_hurried = self._is_hurried()
                if is_hurried and not self._was_hurried:
                    self._sweeper.hurry()
                if self._was_hurried and not is_hurried:
                    self._incoming.copies.doubt_all()
                self._was_hurried = is_hurried
                await trio.sleep(self._policy.beat_interval)
        finally:
            self._outgoing.farewell()

    def _is_hurried(self) -> bool:
        """News may be lost without a word: the broker is away, here or for another node, or one is not understood."""
        return not self._is_up or self._peers.any_unheard(trio.current_time())
