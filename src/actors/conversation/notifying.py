"""What the members of a conversation are told on `/user/queue/notification`, on whichever node they listen."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from uuid import UUID

import trio

from actors.conversation.room import ConversationServices, Room
from actors.ports import Roster
from actors.users.messages import Notify
from chatcore.model import Message, Notification, NotificationType


class Notifier:
    """Tells `policy.notification_slice` users at a time, with a checkpoint after each slice, and the other nodes of
    `policy.notified_together` at once.
    """

    def __init__(self, services: ConversationServices) -> None:
        self._services = services
        self._policy = services.policy

    async def of_message(self, room: Room) -> None:
        """Tell the members of the newest message that was written here, each with his unread count, and before that who
        is mentioned of the newest that mentions him.
        """
        message, room.unnoticed = room.unnoticed, None
        mentions, room.mentions = room.mentions, {}
        mentioning: dict[UUID, tuple[Message, list[UUID]]] = {}
        for user_id, each in mentions.items():
            mentioning.setdefault(each.id, (each, []))[1].append(user_id)
        for each, users in mentioning.values():
            await self._tell_of(room, each, users, mention=True)
        if message is not None:
            newest = mentioning.get(message.id)
            told = set(newest[1]) if newest is not None else ()
            await self._tell_of(room, message, [each for each in room.marks if each not in told])

    async def _tell_of(self, room: Room, message: Message, users: Collection[UUID], *, mention: bool = False) -> None:
        bodies: dict[int, bytes] = {}

        def told(user_id: UUID) -> tuple[UUID, bytes]:
            unread = max(0, max(room.last_seq, message.seq) - room.marks.of(user_id).read_seq)
            body = bodies.get(unread)
            if body is None:
                body = bodies[unread] = self._message_body(message, unread, mention=mention)
            return user_id, body

        # Somebody may leave while the others are told.
        slices = ([told(each) for each in some if each in room.marks] for some in self._within_reach_sliced(users))
        await self._tell(room.id, slices, message.seq, mention=mention)

    async def of_change(self, room: Room, roster: Roster) -> None:
        """Tell the members, and who is one no more, of a change of the conversation itself.

        Where more than `policy.notified_changes` come or go at once, each of them is told of himself and the others
        once that something changed: else what is told would grow with the square of the room.
        """
        many = len(roster.added) + len(roster.removed) > self._policy.notified_changes
        for type_, users in (
            (NotificationType.PARTICIPANT_ADDED, roster.added),
            (NotificationType.PARTICIPANT_REMOVED, roster.removed),
        ):
            for user_id in users:
                told = (user_id,) if many else {**dict.fromkeys(room.marks), user_id: None}
                await self._tell_all(room, Notification(type_, room.id, user_id=user_id), told)
        if many or not (roster.added or roster.removed):
            await self._tell_all(room, Notification(NotificationType.CONVERSATION_UPDATED, room.id), room.marks)

    async def of_end(self, room: Room, roster: Roster) -> None:
        """Tell all who were members that they are so no more, and that the conversation is deleted."""
        encoder = self._services.encoder

        def removed(user_id: UUID) -> tuple[UUID, bytes]:
            notification = Notification(NotificationType.PARTICIPANT_REMOVED, room.id, user_id=user_id)
            return user_id, encoder.notification(notification)

        slices = self._within_reach_sliced(roster.removed)
        await self._tell(room.id, ([removed(user_id) for user_id in some] for some in slices))
        await self._tell_all(room, Notification(NotificationType.CONVERSATION_DELETED, room.id), roster.removed)

    async def _tell_all(self, room: Room, notification: Notification, users: Collection[UUID]) -> None:
        body = self._services.encoder.notification(notification)
        slices = self._within_reach_sliced(users)
        await self._tell(room.id, ([(user_id, body) for user_id in some] for some in slices))

    def _within_reach_sliced(self, users: Collection[UUID]) -> Iterator[list[UUID]]:
        return self._slices(self._within_reach(users))

    def _within_reach(self, users: Collection[UUID]) -> list[UUID]:
        """Who of `users` may be listening: each of them, unless there is no other node."""
        if not self._services.relay.alone:
            return list(users)
        listening = self._services.users.listening
        few, many = (users, listening) if len(users) < len(listening) else (listening, users)
        return [user_id for user_id in few if user_id in many]

    def _slices(self, users: Iterable[UUID]) -> Iterator[list[UUID]]:
        remaining = iter(users)
        while some := list(islice(remaining, self._policy.notification_slice)):
            yield some

    async def _tell(
        self,
        conversation_id: UUID,
        slices: Iterable[Sequence[tuple[UUID, bytes]]],
        seq: int | None = None,
        *,
        mention: bool = False,
    ) -> None:
        together: list[tuple[UUID, bytes]] = []
        for some in slices:
            self._services.users.tell(Notify(conversation_id, some, seq, mention))
            together.extend(some)
            if len(together) >= self._policy.notified_together:
                self._services.relay.tell_users(Notify(conversation_id, together, seq, mention))
                together = []
            await trio.lowlevel.checkpoint()
        if together:
            self._services.relay.tell_users(Notify(conversation_id, together, seq, mention))

    def _message_body(self, message: Message, unread: int, *, mention: bool) -> bytes:
        notification = Notification(
            NotificationType.MESSAGE_CREATED,
            message.conversation_id,
            message=message,
            unread_count=unread,
            mentioned=mention,
        )
        return self._services.encoder.notification(notification)
