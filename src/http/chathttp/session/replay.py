"""Catching up: what a subscription missed comes from the database, page by page, before it joins live."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from functools import partial
from typing import Final, TypeVar

import trio
from attrs import frozen

from actors.conversation.messages import Attach, Join, MarkDelivered, Position, Refresh
from actors.conversation.subscription import encode_event, highest_created
from actors.runtime.reply import Reply
from chatcore.errors import ChatError, ErrorCode
from chatcore.model import Event, EventKind
from chathttp.edge.transport import FrameTransport
from chathttp.session.services import SessionServices
from chathttp.session.subscriptions import TopicSubscription

T = TypeVar("T")

RETRY_SECONDS: Final = 1.0


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
        """May the user subscribe, and does the server know as much as the client? Raises `ChatError`.

        A client is never told to drop its copy by a node that cannot look at the database.
        """
        position = await self._ask_position()
        if self._is_ahead(position):
            await self._conversation.ask(Refresh, timeout=self._policy.ask_timeout)
            position = await self._ask_position()
            if self._is_ahead(position):
                raise ChatError(ErrorCode.CONFLICT, f"{self._start.after.value} is above the server's: reload")
        return position

    async def run(self, position: Position) -> None:
        """Send what was missed and join live. Raises `ChatError` when the user is no member any more.

        An outage of the database, or a conversation that is overloaded, only delays it.
        """
        created_after = await self._find_start(position)
        if created_after is not None:
            await self._send_created(created_after, position)
        while not self._subscription.closed:
            await self._send_events(position)
            if await self._patiently(self._attach):
                return
            position = await self._patiently(self._ask_position)

    def _is_ahead(self, position: Position) -> bool:
        match self._start.after:
            case From.SEQ:
                return self._start.number > position.last_seq
            case From.REV:
                return self._start.number > position.rev
            case From.DELIVERED:
                return False

    async def _attach(self) -> bool:
        def make(reply: Reply[bool]) -> Attach:
            return Attach(self._subscription, reply)

        return await self._conversation.ask(make, timeout=self._policy.ask_timeout)

    async def _ask_position(self) -> Position:
        def make(reply: Reply[Position]) -> Join:
            return Join(self._subscription.user_id, reply)

        return await self._conversation.ask(make, timeout=self._policy.ask_timeout)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again for as long as the refusal may pass."""
        while True:
            try:
                return await ask()
            except ChatError as error:
                if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
                    raise
            await trio.sleep(RETRY_SECONDS)

    async def _read_page(self, read: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """A page of history, and only then whether the user may still have it."""

        async def read_in_turn() -> list[T]:
            async with self._services.replay_readers:
                return await read()

        page = await self._patiently(read_in_turn)
        await self._patiently(self._ask_position)
        return page

    async def _find_start(self, position: Position) -> int | None:
        """Sets where the events begin. The `seq` after which only created messages come first, if it is by `seq`."""
        limit = self._policy.replay_limit
        if self._start.after is From.REV:
            floor = await self._patiently(partial(self._read_floor, position, limit))
            self._truncated = floor is not None or self._start.number < position.cut_rev
            self._subscription.rev = self._start.number if floor is None else floor
            return None
        after = position.mark.delivered_seq if self._start.after is From.DELIVERED else self._start.number
        self._truncated = position.last_seq - after > limit or after < position.first_seq - 1
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
        oldest = partial(
            self._services.history.oldest, self._subscription.conversation_id, limit=self._policy.replay_page
        )
        while after_seq < position.last_seq and not self._subscription.closed:
            page = await self._read_page(partial(oldest, after_seq=after_seq))
            known = [message for message in page if message.created_rev <= position.rev]
            await self._send([Event(EventKind.CREATED, message.created_rev, message) for message in known])
            if len(known) < self._policy.replay_page:
                break
            after_seq = known[-1].seq
        self._subscription.rev = position.rev

    async def _send_events(self, position: Position) -> None:
        """Everything that happened after the subscription's `rev` and up to `position`."""
        events = partial(
            self._services.history.events,
            self._subscription.conversation_id,
            upto_rev=position.rev,
            limit=self._policy.replay_page,
        )
        while self._subscription.rev < position.rev and not self._subscription.closed:
            page = await self._read_page(partial(events, after_rev=self._subscription.rev))
            await self._send(page)
            self._subscription.rev = page[-1].rev if len(page) == self._policy.replay_page else position.rev

    async def _send(self, page: Sequence[Event]) -> None:
        if not page or self._subscription.closed:
            return
        encoded = [encode_event(self._services.encoder, event) for event in page]
        frame_format = self._subscription.format
        frames = frame_format.truncated_frames(encoded) if self._truncated else frame_format.message_frames(encoded)
        self._truncated = False
        self._subscription.expect_acks(encoded)
        await self._transport.send(frames)
        seq = highest_created(encoded)
        if self._subscription.counts_as_delivered and seq:
            mark = MarkDelivered(self._subscription.user_id, seq, Reply[None].discard(), durable=False)
            self._conversation.tell(mark)
