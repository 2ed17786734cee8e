"""What this node tells the others, and what becomes of it when that cannot be told."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import trio
from attrs import frozen

from actors.bridge.broker import Broker, Received
from actors.bridge.channels import NODES, Channels, Kind, notices_of
from actors.bridge.envelope import Beat, Content, Envelopes, Farewell, Notified, PresenceTold, Traced, kind_of
from actors.bridge.news import Advanced, Committed, News
from actors.bridge.notices import fold
from actors.bridge.peers import Peers
from actors.bridge.staleness import Stale
from actors.tracing.hops import Hop, Tracing, ids_of_events
from actors.users.messages import Notify


@frozen
class OutgoingLimits:
    """A commit over `batch_bytes` is told of, not told. At most `conversations` wait to be told of. A notification is
    for at most `users` at a time.
    """

    batch_bytes: int = 65_536
    conversations: int = 16_384
    users: int = 1024
    retry_seconds: float = 0.02


class Outgoing:
    """Publishes at once, and does not wait.

    While the broker is away or full, what is committed is coalesced: each conversation has its last `rev` told as
    `Advanced` once there is room again. What is best effort is dropped, and counted by kind in `dropped`. Beyond
    `limits.conversations` an `Advanced` is dropped too: the others' sweep finds what it would have told.
    """

    def __init__(
        self, broker: Broker, envelopes: Envelopes, channels: Channels, peers: Peers, limits: OutgoingLimits
    ) -> None:
        self.coalesced = 0
        """Commits that were not told but told of."""
        self.dropped: Counter[str] = Counter()
        self._broker = broker
        self._envelopes = envelopes
        self._channels = channels
        self._peers = peers
        self._limits = limits
        self._is_up = False
        self._overdue: dict[UUID, int] = {}
        self._untold: set[str] = set()
        """Kinds of copies of which word was lost."""
        self._work = trio.Event()

    @property
    def waiting(self) -> int:
        """Conversations that the others are still to be told of."""
        return len(self._overdue)

    def conversation(self, conversation_id: UUID, news: News) -> None:
        rev = _rev_of(news)
        if rev is None:
            self._drop_unless_sent(self._channels.name(Kind.CONVERSATION, conversation_id), news)
        elif not self._is_up or conversation_id in self._overdue:
            self._coalesce(conversation_id, rev, news)
        else:
            channel = self._channels.name(Kind.CONVERSATION, conversation_id)
            payload = self._envelopes.seal(news, _told_at(news))
            if len(payload) > self._limits.batch_bytes:
                self.coalesced += 1
                payload = self._envelopes.seal(Advanced(rev))
                _trace(news, "too large: the others read it from the database")
            if not self._broker.publish(channel, payload):
                self._coalesce(conversation_id, rev, news)
            elif Tracing.by is not None:
                _trace(news, "")

    def users(self, notify: Notify) -> None:
        """By the users' own channels, or to all nodes at once where those are fewer."""
        if len(notify.bodies) > max(1, len(self._peers)):
            for notices in fold(notify, self._limits.users):
                self._drop_unless_sent(notices_of(notify.conversation_id), notices)
            return
        for user_id, body in notify.bodies:
            content = Notified(notify.conversation_id, body, notify.seq, notify.mention)
            self._drop_unless_sent(self._channels.name(Kind.USER, user_id), content)

    def presence(self, user_id: UUID, *, online: bool) -> None:
        self._drop_unless_sent(self._channels.name(Kind.PRESENCE, user_id), PresenceTold(online))

    def traced(self, traced: Traced) -> None:
        self._drop_unless_sent(NODES, traced)

    def stale(self, stale: Stale) -> None:
        """What cannot be told now is told later, of all of its kind."""
        if not (self._is_up and self._broker.publish(NODES, self._envelopes.seal(stale))):
            self._tell_later(stale)

    def beat(self) -> None:
        if self._is_up:
            self._broker.publish(NODES, self._envelopes.seal(Beat()))

    def farewell(self) -> None:
        if self._is_up:
            self._broker.publish(NODES, self._envelopes.seal(Farewell()))

    def away(self, lost: Sequence[Received]) -> None:
        """The broker is away, and `lost` may not have arrived."""
        self._is_up = False
        for each in lost:
            content = self._envelopes.open_own(each.payload)
            match content:
                case Committed() | Advanced():
                    self._coalesce(UUID(each.channel.partition(".")[2]), _rev_of(content) or 0, content)
                case Stale():
                    self._tell_later(content)
                case Beat() | Farewell():
                    pass
                case _:
                    self.dropped[kind_of(content)] += 1

    def back(self) -> None:
        self._is_up = True
        if self._overdue or self._untold:
            self._work.set()

    async def run(self) -> None:
        """Tell what is overdue, whenever there is room."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while self._is_up and (self._overdue or self._untold):
                if not self._tell_some():
                    await trio.sleep(self._limits.retry_seconds)
                await trio.lowlevel.checkpoint()

    def _tell_some(self) -> bool:
        """False when there is no room for more."""
        for what in list(self._untold):
            if not self._broker.publish(NODES, self._envelopes.seal(Stale(what))):
                return False
            self._untold.discard(what)
        for conversation_id, rev in list(self._overdue.items())[:256]:
            channel = self._channels.name(Kind.CONVERSATION, conversation_id)
            if not self._broker.publish(channel, self._envelopes.seal(Advanced(rev))):
                return False
            del self._overdue[conversation_id]
        return True

    def _coalesce(self, conversation_id: UUID, rev: int, content: Content) -> None:
        known = self._overdue.get(conversation_id)
        if known is None and len(self._overdue) >= self._limits.conversations:
            self.dropped[kind_of(content)] += 1
            return
        self.coalesced += isinstance(content, Committed)
        _trace(content, "told of later: Redis is away or behind")
        self._overdue[conversation_id] = max(rev, known or 0)
        if self._is_up:
            self._work.set()

    def _tell_later(self, stale: Stale) -> None:
        self._untold.add(stale.what)
        if self._is_up:
            self._work.set()

    def _drop_unless_sent(self, channel: str, content: Content) -> None:
        if not (self._is_up and self._broker.publish(channel, self._envelopes.seal(content))):
            self.dropped[kind_of(content)] += 1


def _told_at(news: News) -> float | None:
    return Tracing.by.mark(news.events) if Tracing.by is not None and isinstance(news, Committed) else None


def _trace(content: Content, says: str) -> None:
    if Tracing.by is not None and isinstance(content, Committed):
        Tracing.by.pass_by(ids_of_events(content.events), Hop.BRIDGE_PUBLISHED, says)


def _rev_of(news: News) -> int | None:
    """The `rev` that the conversation has reached, of news that must not be missed."""
    match news:
        case Committed(_, events):
            return events[-1].rev
        case Advanced(rev):
            return rev
        case _:
            return None
