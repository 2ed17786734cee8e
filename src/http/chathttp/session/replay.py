"""Catching up: what a subscription missed comes from the database, page by page, before it joins live."""

from collections.abc import Sequence
from enum import Enum

import trio
from attrs import frozen

from actors.conversation.messages import Attach, Join, MarkDelivered, Position, Refresh
from actors.conversation.subscription import Encoded, highest_created
from actors.runtime.reply import Reply
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Event, EventKind
from chathttp.edge.transport import FrameTransport
from chathttp.session.services import SessionServices
from chathttp.session.subscriptions import TopicSubscription

RETRY_SECONDS = 1.0


class From(Enum):
    """What a replay starts after."""

    SEQ = "last-seq"
    REV = "last-rev"
    DELIVERED = "the caller's delivered mark"


@frozen
class Start:
    """`number` is a `seq` or a `rev`; without meaning for `DELIVERED`."""

    after: From
    number: int = 0


class Replay:
    """Brings one message subscription from where its client stood to the conversation's position.

    It is pulled at the pace of the client's socket, outside its outbox's limit and outside the conversation's actor;
    membership is asked again with every page.
    """

    def __init__(
        self, services: SessionServices, transport: FrameTransport, subscription: TopicSubscription, start: Start
    ) -> None:
        self._services = services
        self._policy = services.policy
        self._transport = transport
        self._subscription = subscription
        self._start = start
        self._conversation = services.conversations.ref(subscription.conversation_id)
        self._truncated = False

    async def admit(self) -> Position:
        """May the user subscribe, and does the server know as much as the client? Raises `ChatError`."""
        position = await self._ask_position()
        if self._is_ahead(position):
            self._conversation.tell(Refresh())
            position = await self._ask_position()
            if self._is_ahead(position):
                raise ChatError(ErrorCode.CONFLICT, f"{self._start.after.value} is above the server's: reload")
        return position

    async def run(self, position: Position) -> None:
        """Send what was missed and join live. Raises `ChatError` when the user is no member any more."""
        created_after = await self._find_start(position)
        if created_after is not None:
            await self._send_created(created_after, position)
        while not self._subscription.closed:
            try:
                await self._send_events(position)
                if await self._conversation.ask(self._make_attach, timeout=self._policy.ask_timeout):
                    return
                position = await self._ask_position()
            except ChatError as error:
                if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                    raise
                await trio.sleep(RETRY_SECONDS)

    def _is_ahead(self, position: Position) -> bool:
        match self._start.after:
            case From.SEQ:
                return self._start.number > position.last_seq
            case From.REV:
                return self._start.number > position.rev
            case From.DELIVERED:
                return False

    def _make_attach(self, reply: Reply[bool]) -> Attach:
        return Attach(self._subscription, reply)

    def _make_join(self, reply: Reply[Position]) -> Join:
        return Join(self._subscription.user_id, reply)

    async def _ask_position(self) -> Position:
        return await self._conversation.ask(self._make_join, timeout=self._policy.ask_timeout)

    async def _find_start(self, position: Position) -> int | None:
        """Sets where the events begin. The `seq` after which only created messages come first, if it is by `seq`."""
        limit = self._policy.replay_limit
        if self._start.after is From.REV:
            self._subscription.rev = self._start.number
            while True:
                try:
                    floor = await self._read_floor(position, limit)
                    break
                except ChatError as error:
                    if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                        raise
                    await trio.sleep(RETRY_SECONDS)
            if floor is not None:
                self._truncated = True
                self._subscription.rev = floor
            return None
        after = position.mark.delivered_seq if self._start.after is From.DELIVERED else self._start.number
        self._truncated = position.last_seq - after > limit
        return max(after, position.last_seq - limit)

    async def _read_floor(self, position: Position, limit: int) -> int | None:
        async with self._services.replay_readers:
            return await self._services.history.event_floor(
                self._subscription.conversation_id,
                after_rev=self._start.number,
                upto_rev=position.rev,
                limit=limit,
            )

    async def _send_created(self, after_seq: int, position: Position) -> None:
        """The messages created after `after_seq` and up to `position`, with their present bodies."""
        while after_seq < position.last_seq and not self._subscription.closed:
            try:
                async with self._services.replay_readers:
                    page = await self._services.history.oldest(
                        self._subscription.conversation_id, after_seq=after_seq, limit=self._policy.replay_page
                    )
                await self._ask_position()
            except ChatError as error:
                if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                    raise
                await trio.sleep(RETRY_SECONDS)
                continue
            known = [message for message in page if message.created_rev <= position.rev]
            await self._send([Event(EventKind.CREATED, message.created_rev, message) for message in known])
            if len(known) < self._policy.replay_page:
                break
            after_seq = known[-1].seq
        self._subscription.rev = position.rev

    async def _send_events(self, position: Position) -> None:
        """Everything that happened after the subscription's `rev` and up to `position`."""
        while self._subscription.rev < position.rev and not self._subscription.closed:
            async with self._services.replay_readers:
                page = await self._services.history.events(
                    self._subscription.conversation_id,
                    after_rev=self._subscription.rev,
                    upto_rev=position.rev,
                    limit=self._policy.replay_page,
                )
            await self._ask_position()
            await self._send(page)
            self._subscription.rev = page[-1].rev if len(page) == self._policy.replay_page else position.rev

    async def _send(self, page: Sequence[Event]) -> None:
        if not page or self._subscription.closed:
            return
        encoded = [
            Encoded(event.kind, event.rev, event.message.seq, event.message.id, self._services.encoder.message(event))
            for event in page
        ]
        frame_format = self._subscription.format
        frames = frame_format.truncated_frames(encoded) if self._truncated else frame_format.message_frames(encoded)
        self._truncated = False
        self._subscription.expect_acks(encoded)
        await self._transport.send(frames)
        seq = highest_created(encoded)
        if self._subscription.counts_as_delivered and seq:
            mark = MarkDelivered(self._subscription.user_id, seq, Reply[None].discard(), durable=False)
            self._conversation.tell(mark)
