"""What a conversation does with what the other nodes tell, and with what its node's sweep has found."""

from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

import trio

from actors.bridge.news import Advanced, Committed, MarksMoved, MarksStored, TypingMoved, WhoTypes
from actors.conversation.agenda import Agenda, Task
from actors.conversation.messages import Heard
from actors.conversation.room import ConversationServices, Room
from actors.conversation.subscription import Topic
from actors.tracing.hops import Hop, Tracing, ids_of_events
from chatcore.errors import ChatError
from chatcore.gate import Admission
from chatcore.model import Event


class Hearing:
    """Takes news in order. The database is read at most twice a batch: once for what is missing before a commit, and
    once, by `look`, for everything; where that fails it is planned, and what was told of commits is left to it.
    """

    def __init__(self, services: ConversationServices, agenda: Agenda, look: Callable[[Room], Awaitable[None]]) -> None:
        self._policy = services.policy
        self._agenda = agenda
        self._look = look
        self._filled = False
        self._failed = False
        self._followed = False

    async def hear(self, room: Room, heard: Sequence[Heard]) -> None:
        self._filled = self._failed = False
        if Tracing.by is not None:
            for each in heard:
                if isinstance(each.news, Committed):
                    Tracing.by.pass_by(ids_of_events(each.news.events), Hop.MAILBOX_OUT)
        events: list[Event] = []
        size = 0
        for each in heard:
            if room.gone:
                return
            news = each.news
            if isinstance(news, Committed):
                if events and (news.prev_rev != events[-1].rev or size >= self._policy.batch_bytes):
                    await self._commit(room, events)
                    events, size = [], 0
                events += news.events
                size += sum(len(event.message.text) for event in news.events)
            else:
                if events:
                    await self._commit(room, events)
                    events, size = [], 0
                await self._one(room, news)
        if events and not room.gone:
            await self._commit(room, events)

    async def _commit(self, room: Room, events: Sequence[Event]) -> None:
        prev_rev = events[0].rev - 1
        is_behind = room.gate.admit(prev_rev, events[-1].rev) is Admission.BEHIND
        if is_behind and self._failed:
            return
        try:
            if is_behind and self._filled:
                await self._look(room)
            else:
                self._filled = self._filled or is_behind
                await room.admit(events, prev_rev)
        except ChatError:
            self._plan()

    async def _one(self, room: Room, news: Advanced | TypingMoved | WhoTypes | MarksMoved | MarksStored) -> None:
        match news:
            case Advanced(rev):
                if not self._followed:
                    # What was asked before the node followed the conversation has had no answer.
                    self._followed = True
                    if any(room.audience.of_topic(Topic.TYPING)):
                        room.typists.ask()
                if rev > room.gate.position:
                    await self._compare(room)
            case TypingMoved(user_id, is_typing):
                if user_id in room.marks:
                    await room.typists.heard(user_id, trio.current_time(), is_typing=is_typing)
            case WhoTypes():
                room.typists.answer(trio.current_time())
            case MarksMoved(marks):
                room.marks.heard(marks)
            case MarksStored(total):
                if total > room.marks.total:
                    await self._compare(room)
            case _:
                assert_never(news)

    async def _compare(self, room: Room) -> None:
        if self._failed:
            return
        try:
            await self._look(room)
        except ChatError:
            self._plan()

    def _plan(self) -> None:
        self._failed = True
        self._agenda.no_later(Task.CATCH_UP, trio.current_time() + self._policy.retry_seconds)
