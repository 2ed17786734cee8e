"""What the other nodes tell, handed to whom it concerns here."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

import trio

from actors.bridge.broker import Received
from actors.bridge.channels import Channels, Kind
from actors.bridge.envelope import Beat, Content, Envelopes, Farewell, Letter, Notified, PresenceTold, Traced, kind_of
from actors.bridge.news import Advanced, Committed, MarksMoved, MarksStored, News, TypingMoved, WhoTypes
from actors.bridge.notices import Notices, unfold
from actors.bridge.peers import Peers
from actors.bridge.staleness import CopyKeepers, Stale
from actors.conversation.messages import ConversationMessage, Heard
from actors.presence.ports import PresenceNews
from actors.runtime.mailbox import MailboxFull
from actors.runtime.ref import Ref
from actors.tracing.hops import Tracing
from actors.users.messages import Notify
from chatcore.errors import ChatError
from chatcore.model import Event


class LiveConversations(Protocol):
    """The conversation actors that run."""

    def live(self, key: UUID) -> Ref[ConversationMessage] | None: ...

    def keys(self) -> list[UUID]: ...


class TraceKeeper(Protocol):
    """Who keeps the ways of messages, for this node and for others that ask."""

    def heard(self, node_id: UUID, conversation_id: UUID, events: Sequence[Event], told_at: float | None) -> None: ...

    def reported(self, node_id: UUID, traced: Traced) -> None: ...


class Incoming:
    """Nothing here waits.

    A conversation whose mailbox is full is told again each `retry_seconds` how far the database is, by the last `rev`
    and the last sum of marks heard; there are at most as many as are live. What is best effort is dropped then, and
    counted by kind.
    """

    def __init__(
        self,
        envelopes: Envelopes,
        channels: Channels,
        conversations: Callable[[], LiveConversations],
        tell_users: Callable[[Notify], None],
        peers: Peers,
        retry_seconds: float = 0.1,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.presence: PresenceNews | None = None
        self.traces: TraceKeeper | None = None
        self.copies = CopyKeepers()
        self._envelopes = envelopes
        self._channels = channels
        self._conversations = conversations
        self._tell_users = tell_users
        self._peers = peers
        self._retry_seconds = retry_seconds
        self._behind: dict[UUID, int] = {}
        self._untold_marks: dict[UUID, MarksStored] = {}
        self._work = trio.Event()

    def hear(self, received: Received) -> None:
        foreign = self._envelopes.foreign
        letter = self._envelopes.open(received.payload)
        if letter is None:
            if self._envelopes.foreign > foreign:
                self._peers.heard_foreign(trio.current_time())
            return
        content = letter.content
        self._peers.heard(letter.node_id, trio.current_time(), leaves=isinstance(content, Farewell))
        match self._channels.find(received.channel), content:
            case (Kind.CONVERSATION, key), Committed() | Advanced() | TypingMoved() | WhoTypes() | MarksMoved():
                if letter.told_at is not None or Tracing.by is not None:
                    self._trace(key, letter)
                self.tell(key, content)
            case (Kind.USER, key), Notified(conversation_id, body, seq, mention):
                self._tell_users(Notify(conversation_id, ((key, body),), seq, mention))
            case _, Notices():
                notify = unfold(content, self._channels.users)
                if notify is not None:
                    self._tell_users(notify)
            case (Kind.PRESENCE, key), PresenceTold(online):
                if self.presence is not None:
                    self.presence.heard(key, online=online)
            case _, Stale():
                self.copies.hear(content)
            case _, Beat() | Farewell():
                pass
            case _, Traced():
                if self.traces is not None:
                    self.traces.reported(letter.node_id, content)
            case _:
                self._count_dropped(content)

    def tell(self, conversation_id: UUID, news: News | MarksStored) -> None:
        """The conversation's actor, if there is one."""
        ref = self._conversations().live(conversation_id)
        if ref is None:
            return
        try:
            ref.tell(Heard(news))
        except MailboxFull:
            match news:
                case Committed(_, events):
                    self._remember(conversation_id, events[-1].rev)
                case Advanced(rev):
                    self._remember(conversation_id, rev)
                case MarksStored():
                    self._untold_marks[conversation_id] = news
                    self._work.set()
                case _:
                    self._count_dropped(news)
        except ChatError:
            # It has just ended: who starts it anew reads the database.
            return

    async def run(self) -> None:
        """Tell those again whose mailboxes were full."""
        while True:
            # Something may be left from before a restart.
            while not (self._behind or self._untold_marks):
                await self._work.wait()
                self._work = trio.Event()
            await trio.sleep(self._retry_seconds)
            behind, self._behind = self._behind, {}
            for conversation_id, rev in behind.items():
                self.tell(conversation_id, Advanced(rev))
            marks, self._untold_marks = self._untold_marks, {}
            for conversation_id, stored in marks.items():
                self.tell(conversation_id, stored)

    def _trace(self, conversation_id: UUID, letter: Letter) -> None:
        if self.traces is not None and isinstance(letter.content, Committed):
            self.traces.heard(letter.node_id, conversation_id, letter.content.events, letter.told_at)

    def _remember(self, conversation_id: UUID, rev: int) -> None:
        self._behind[conversation_id] = max(rev, self._behind.get(conversation_id, 0))
        self._work.set()

    def _count_dropped(self, content: Content) -> None:
        self.dropped[kind_of(content)] += 1
