"""What a conversation does for each change that is more than a new message."""

from typing import assert_never

from actors.bridge.news import DELETED_REV, Advanced, Committed
from actors.conversation.messages import (
    AddMembers,
    Change,
    ChangeDetails,
    ChangeRole,
    Delete,
    DeleteConversation,
    Edit,
    React,
    RemoveMember,
)
from actors.conversation.notifying import Notifier
from actors.conversation.room import ConversationServices, Room
from actors.ports import Roster
from actors.runtime.reply import Reply
from chatcore.model import Event


class Changes:
    """Stores the change, answers, tells the other nodes, and delivers it here, in this order."""

    def __init__(self, services: ConversationServices, notifier: Notifier) -> None:
        self._services = services
        self._policy = services.policy
        self._notifier = notifier

    async def perform(self, room: Room, message: Change) -> None:
        """Raises `ChatError`: nothing was answered by then, or what was committed is to be caught up with."""
        services, policy = self._services, self._policy
        match message:
            case Edit(message_id, editor_id, text, reply):
                event = await services.log.edit(room.id, message_id, editor_id, text)
                reply.succeed(event)
                await self._deliver(room, event)
            case Delete(message_id, user_id, moderator, reply):
                deleted = await services.log.delete(room.id, message_id, user_id, moderator=moderator)
                reply.succeed(deleted)
                await self._deliver(room, deleted)
            case React(message_id, user_id, emoji, present, reply):
                reacted = await services.log.react(
                    room.id, message_id, user_id, emoji, present=present, max_distinct=policy.max_reactions
                )
                reply.succeed(reacted)
                await self._deliver(room, reacted)
            case AddMembers(by, user_ids, reply):
                roster = await services.store.add_members(room.id, by, user_ids, max_members=policy.max_members)
                await self._adopt(room, roster, reply)
            case RemoveMember(by, user_id, reply):
                await self._adopt(room, await services.store.remove_member(room.id, by, user_id), reply)
            case ChangeRole(by, user_id, role, reply):
                await self._adopt(room, await services.groups.change_role(room.id, by, user_id, role), reply)
            case ChangeDetails(by, name, avatar_url, reply):
                roster = await services.store.change_details(room.id, by, name=name, avatar_url=avatar_url)
                await self._adopt(room, roster, reply)
            case DeleteConversation(by, administrator, reply):
                await self._adopt(room, await services.groups.delete(room.id, by, administrator=administrator), reply)
            case _:
                assert_never(message)

    async def _deliver(self, room: Room, event: Event | None) -> None:
        if event is not None:
            relay = self._services.relay
            if not relay.alone:
                relay.tell_conversation(room.id, Committed(event.rev - 1, (event,)))
            await room.admit([event], event.rev - 1)

    async def _adopt(self, room: Room, roster: Roster, reply: Reply[Roster]) -> None:
        """Take a committed change of members or details.

        Who was removed is cut off at once, even if the database cannot be read for what came before the change.
        """
        if roster.added or roster.removed or roster.deleted:
            self._services.members_changed(room.id)
        if roster.deleted:
            room.gone = True
            reply.succeed(roster)
            self._services.relay.tell_conversation(room.id, Advanced(DELETED_REV))
            await self._notifier.of_end(room, roster)
            return
        changed = roster.conversation.rev > room.gate.position
        reply.succeed(roster)
        if changed:
            self._services.relay.tell_conversation(room.id, Advanced(roster.conversation.rev))
            await room.adopt(roster.conversation)
        if changed or roster.added or roster.removed:
            await self._notifier.of_change(room, roster)
        if changed:
            await room.reach(roster.conversation.rev)
