"""What a client's SEND frames do."""

from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

import trio

from actors.conversation.messages import ConversationMessage, MarkRead, Post, StartTyping, StopTyping
from actors.runtime.mailbox import MailboxFull
from actors.runtime.reply import Reply
from actors.tracing.hops import Tracing
from chatcore.errors import ChatError, ErrorCode, not_found
from chatcore.model import Appended, NewMessage
from chathttp.session.link import Link
from chathttp.session.services import SessionServices
from chathttp.stomp import server_frames
from chathttp.stomp.commands import Send
from chathttp.wire import decode_auth_refresh, decode_read, decode_send_message, decode_typing

_POST: Final = "/app/message.send"


class Sender:
    """Hands SENDs to the conversations without waiting for their commits, in order, a bounded number in flight.

    When `max_sends_in_flight` are unanswered the next frame is not read: back-pressure by TCP.
    """

    def __init__(self, services: SessionServices, link: Link, renew: Callable[[str], None]) -> None:
        self._services = services
        self._policy = services.policy
        self._link = link
        self._renew = renew
        self._in_flight = 0
        self._wakes_at_answer: trio.Event | None = None
        self._typing: set[UUID] = set()

    @property
    def in_flight(self) -> int:
        """Sends that have no answer yet."""
        return self._in_flight

    async def send(self, command: Send) -> None:
        """A refusal goes to the errors queue."""
        try:
            if command.destination == _POST:
                await self._post(command)
            else:
                self._tell_of(command)
        except ChatError as error:
            self._link.refuse_send(error, command.destination, command.receipt)

    async def settle(self) -> None:
        """Wait until everything sent so far has its answer."""
        with trio.move_on_after(self._policy.ask_timeout):
            await self._wait_until_below(1)

    def stop_typing(self) -> None:
        """The connection ends, and with it the typing it announced."""
        for conversation_id in self._typing:
            try:
                self._tell(conversation_id, StopTyping(self._link.principal.user_id, Reply[None].discard()))
            except ChatError:
                continue
        self._typing.clear()

    def _tell_of(self, command: Send) -> None:
        match command.destination:
            case "/app/typing.start":
                conversation_id = decode_typing(command.body).conversation_id
                if len(self._typing) < self._policy.connection.max_subscriptions:
                    self._typing.add(conversation_id)
                reply = self._reply(command)
                self._tell(conversation_id, StartTyping(self._link.principal.user_id, reply))
            case "/app/typing.stop":
                conversation_id = decode_typing(command.body).conversation_id
                self._typing.discard(conversation_id)
                self._tell(conversation_id, StopTyping(self._link.principal.user_id, self._reply(command)))
            case "/app/message.read":
                body = decode_read(command.body)
                user_id = self._link.principal.user_id
                durable = command.receipt is not None
                self._tell(body.conversation_id, MarkRead(user_id, body.seq, self._reply(command), durable))
            case "/app/auth.refresh":
                self._renew(decode_auth_refresh(command.body).access_token)
                self._link.receipt(command.receipt)
            case _:
                raise not_found("Destination")

    async def _post(self, command: Send) -> None:
        user_id = self._link.principal.user_id
        body = decode_send_message(command.body)
        now = trio.current_time()
        wait = self._services.send_limiter.take(user_id, now)
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many messages, slow down", retry_after=wait)
        if self._in_flight >= self._policy.max_sends_in_flight:
            await self._wait_until_below(self._policy.max_sends_in_flight)
            now = trio.current_time()
        message = NewMessage(
            self._services.new_id(),
            body.conversation_id,
            user_id,
            body.text,
            body.client_message_id,
            body.reply_to,
            tuple(body.attachment_ids or ()),
        )
        if message.attachment_ids:
            await self._services.attachments.check_uploads(user_id, message.attachment_ids)
            now = trio.current_time()
        reply = Reply(partial(self._answered, command), now + self._policy.ask_timeout)
        self._in_flight += 1
        if Tracing.by is not None:
            Tracing.by.begin(message, self._link.transport.last_received)
        try:
            await self._post_or_wait(Post(message, reply))
        except ChatError as error:
            self._in_flight -= 1
            if Tracing.by is not None:
                Tracing.by.settled([message], error)
            raise

    def _answered(self, command: Send, answer: Appended | ChatError) -> None:
        self._in_flight -= 1
        if self._wakes_at_answer is not None:
            self._wakes_at_answer.set()
        if isinstance(answer, ChatError):
            self._link.refuse_send(answer, command.destination, command.receipt)
        elif command.receipt is not None:
            self._link.write(server_frames.posted(command.receipt, self._link.version, answer.id, answer.seq))

    async def _post_or_wait(self, post: Post) -> None:
        """Waits for room in the conversation's mailbox; raises `OVERLOADED` when there is none in time."""
        conversation = self._services.conversations.ref(post.message.conversation_id)
        try:
            conversation.tell(post)
        except MailboxFull:
            await conversation.tell_wait(post, self._policy.mailbox_timeout)

    def _reply(self, command: Send) -> Reply[None]:
        def answered(answer: ChatError | None) -> None:
            if answer is None:
                self._link.receipt(command.receipt)
            else:
                self._link.refuse_send(answer, command.destination, command.receipt)

        return Reply[None].to(answered, trio.current_time() + self._policy.ask_timeout)

    def _tell(self, conversation_id: UUID, message: ConversationMessage) -> None:
        self._services.conversations.ref(conversation_id).tell(message)

    async def _wait_until_below(self, limit: int) -> None:
        while self._in_flight >= limit:
            self._wakes_at_answer = trio.Event()
            await self._wakes_at_answer.wait()
        self._wakes_at_answer = None
