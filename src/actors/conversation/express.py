"""The short way of a post that comes alone: no task is switched to between its sender and the append, nor between the
answer and the subscribers.
"""

from collections.abc import Callable, Sequence
from functools import partial

import trio

from actors.conversation.handlers import Handlers
from actors.conversation.messages import ConversationMessage, Post
from actors.conversation.room import Room
from actors.ports import MessageLog
from actors.runtime.mailbox import Mailbox
from actors.tracing.hops import Hop, Tracing
from chatcore.errors import ChatError
from chatcore.model import Appended, Event


class Express:
    """Does for the actor's task, while that waits and nothing else does, what needs no waiting.

    `take` runs in the sender's task, what follows the append in the store's. The post is in hand meanwhile, and the
    actor's task is not woken: whatever comes next waits for it, as for a post that the task itself performs. What can
    not be done at once is left to the task, and so is any error, which is a crash of the actor.

    `done` is called with the present time when a post needs nothing more.
    """

    def __init__(
        self,
        log: MessageLog,
        mailbox: Mailbox[ConversationMessage],
        handlers: Handlers,
        room: Room,
        done: Callable[[float], None],
    ) -> None:
        self._log = log
        self._mailbox = mailbox
        self._handlers = handlers
        self._room = room
        self._done = done
        self._now = trio.lowlevel.current_clock().current_time
        self._post: Post | None = None
        self._left: Sequence[Sequence[Event]] = ()
        self._error: Exception | None = None
        self._untold: Callable[[], None] | None = None
        """What tells the sender and the other nodes of the post in hand."""
        mailbox.express = self._take

    def stop(self) -> None:
        """The actor's incarnation ends: an answer that is still to come counts no more."""
        self._post = None
        self._mailbox.end_express()

    async def finish(self) -> bool:
        """In the actor's task, after each receive: do what was left. False if there is nothing. Raises what went wrong
        on the short way.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        left, self._left = self._left, ()
        if left:
            await self._handlers.deliver(self._room, left)
        return bool(left)

    def _take(self, message: ConversationMessage) -> bool:
        room = self._room
        if not isinstance(message, Post) or room.gone or message.message.sender_id not in room.marks:
            return False
        now = self._now()
        if now >= message.reply.deadline:
            return False
        if not self._log.append_at_once((message.message,), self._answered):
            return False
        if Tracing.by is not None:
            Tracing.by.pass_by((message.message.id,), Hop.EXPRESS, at=now)
        self._post = message
        self._mailbox.hold(message, now)
        return True

    def _tell(self) -> None:
        """Once a post, however often it is called."""
        untold, self._untold = self._untold, None
        if untold is not None:
            untold()

    def _answered(self, answer: Sequence[Appended | ChatError] | Exception) -> None:
        post, self._post = self._post, None
        if post is None:
            return
        delivered = False
        try:
            runs = self._handlers.settle(self._room, (post,), answer)
            self._untold = partial(self._handlers.announce, self._room, (post,), answer, runs)
            delivered = self._handlers.deliver_at_once(self._room, runs, self._tell)
            if not delivered:
                self._left = runs
        except Exception as error:  # the supervisor's to see to, in the task that it watches
            self._error = error
        self._tell()
        if delivered:
            now = self._now()
            self._done(now)
            self._mailbox.release(now)
        else:
            self._mailbox.release_to_finish()
