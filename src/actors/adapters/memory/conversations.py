"""In-memory twin of `ConversationStore`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import attrs

from actors.adapters.memory.state import ChatState, Room
from actors.adapters.rules import check_add, check_details, check_remove, check_size, heir, pair_of
from actors.ports import Roster
from chatcore.errors import invalid, silenced
from chatcore.model import Conversation, ConversationType, Mark, Participant, Role


class MemoryConversationStore:
    """`ConversationStore` over a `ChatState`."""

    def __init__(self, state: ChatState) -> None:
        self._state = state

    async def load(self, conversation_id: UUID) -> Conversation | None:
        await self._state.faults.before("load")
        room = self._state.rooms.get(conversation_id)
        return None if room is None else self._state.conversation(room)

    async def create(
        self,
        conversation_id: UUID,
        type_: ConversationType,
        creator_id: UUID,
        member_ids: Collection[UUID],
        name: str | None,
        avatar_url: str | None,
    ) -> tuple[Conversation, bool]:
        await self._state.faults.before("create")
        members = {creator_id, *member_ids}
        pair = pair_of(type_, members)
        self._check_users("participantIds", members)
        other = None if pair is None else next(each for each in pair if each != creator_id)
        if other is not None and creator_id in self._state.blocks.get(other, ()):
            raise silenced()
        for room in self._state.rooms.values():
            if room.id == conversation_id or (pair is not None and room.pair == pair):
                return self._state.conversation(room), False
        now = self._state.now()
        room = Room(conversation_id, type_, name, avatar_url, now, now, now, pair=pair)
        for user_id in members:
            owns = type_ is ConversationType.GROUP and user_id == creator_id
            self._join(room, user_id, Role.OWNER if owns else Role.MEMBER, now)
        if other is not None and other in self._state.blocks.get(creator_id, ()):
            room.participants[other] = attrs.evolve(room.participants[other], silenced=True)
        self._state.rooms[room.id] = room
        self._state.faults.after("create")
        return self._state.conversation(room), True

    async def add_members(
        self, conversation_id: UUID, by: UUID, user_ids: Collection[UUID], *, max_members: int
    ) -> Roster:
        await self._state.faults.before("add_members")
        room = self._state.room(conversation_id)
        check_add(room.type, room.participants.get(by))
        self._check_users("userIds", user_ids)
        added = [each for each in dict.fromkeys(user_ids) if each not in room.participants]
        check_size(len(room.participants) + len(added), max_members)
        if added:
            now = self._state.now()
            for user_id in added:
                self._join(room, user_id, Role.MEMBER, now)
            room.change(now)
        self._state.faults.after("add_members")
        return Roster(self._state.conversation(room), added=tuple(added))

    async def remove_member(self, conversation_id: UUID, by: UUID, user_id: UUID) -> Roster:
        await self._state.faults.before("remove_member")
        room = self._state.room(conversation_id)
        gone = check_remove(room.type, room.participants.get(by), room.participants.get(user_id))
        if len(room.participants) == 1:
            last = self._state.conversation(room)
            self._state.end(room)
            self._state.faults.after("remove_member")
            return Roster(last, removed=(user_id,), deleted=True)
        del room.participants[user_id]
        room.former.add(user_id)
        room.muted.pop(user_id, None)
        if gone.role is Role.OWNER and (successor := heir(room.participants.values())) is not None:
            room.participants[successor.user_id] = attrs.evolve(successor, role=Role.OWNER)
        room.change(self._state.now())
        self._state.faults.after("remove_member")
        return Roster(self._state.conversation(room), removed=(user_id,))

    async def change_details(
        self, conversation_id: UUID, by: UUID, *, name: str | None, avatar_url: str | None
    ) -> Roster:
        await self._state.faults.before("change_details")
        room = self._state.room(conversation_id)
        check_details(room.type, room.participants.get(by), name, avatar_url)
        before = (room.name, room.avatar_url)
        room.name = room.name if name is None else name or None
        room.avatar_url = room.avatar_url if avatar_url is None else avatar_url or None
        if before != (room.name, room.avatar_url):
            room.change(self._state.now())
        self._state.faults.after("change_details")
        return Roster(self._state.conversation(room))

    async def save_marks(self, conversation_id: UUID, marks: Sequence[Mark]) -> None:
        await self._state.faults.before("save_marks")
        if (room := self._state.rooms.get(conversation_id)) is not None:
            for mark in marks:
                room.raise_marks(mark.user_id, mark.read_seq, mark.delivered_seq)
        self._state.faults.after("save_marks")

    def _check_users(self, field: str, user_ids: Collection[UUID]) -> None:
        if any(each not in self._state.users or each in self._state.erased for each in user_ids):
            raise invalid(field, "names a user that does not exist")

    def _join(self, room: Room, user_id: UUID, role: Role, now: datetime) -> None:
        name = self._state.users[user_id].name
        room.participants[user_id] = Participant(user_id, name, role, now, room.last_seq, room.last_seq)
