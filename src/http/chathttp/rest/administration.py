"""What both families of routes, of conversations and of groups, do to a conversation."""

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec
from quart import Response

from actors.conversation.messages import (
    AddMembers,
    ChangeDetails,
    ChangeRole,
    ConversationMessage,
    DeleteConversation,
    RemoveMember,
)
from actors.ports import Roster
from actors.runtime.reply import Reply
from actors.users.messages import Notify
from chatcore.errors import invalid
from chatcore.model import Conversation, ConversationType, Notification, NotificationType, Role
from chatcore.validation import check_name, check_url
from chathttp.json_body import RequestBody, decoder_of
from chathttp.rest.access import live_marks
from chathttp.rest.answers import body, caller, json_answer
from chathttp.rest.services import Services
from chathttp.wire import ConversationJson, JsonBodyEncoder, conversation_json

ADMINISTRATORS: Final = "admins"
"""The role that may do everywhere what an owner may in his group."""


class _Change(RequestBody, frozen=True):
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET


class _Add(RequestBody, frozen=True):
    user_ids: list[UUID]


class _Role(RequestBody, frozen=True):
    role: Role


_decode_change: Final = decoder_of(_Change)
_decode_add: Final = decoder_of(_Add)
_decode_role: Final = decoder_of(_Role)


class Administration:
    """For the caller of the present request, whose rights the conversation checks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def seen(self, conversation: Conversation) -> ConversationJson:
        """As the caller sees it."""
        marks = await live_marks(self._services, conversation.id)
        return conversation_json(conversation, caller().user_id, marks)

    async def answer(self, conversation: Conversation, status: int = 200) -> Response:
        return json_answer(await self.seen(conversation), status)

    async def create(
        self, type_: ConversationType, others: Sequence[UUID], field: str, name: str | None, avatar_url: str | None
    ) -> Response:
        """`field` is the one of the request that names `others`; among them the caller counts for nothing."""
        services, user_id, limit = self._services, caller().user_id, self._services.settings.max_group_size
        members = [each for each in dict.fromkeys(others) if each != user_id]
        name, avatar_url = _checked_name(name), _checked_url(avatar_url)
        if type_ is ConversationType.DIRECT:
            # Two people have no name for what is between them.
            name = avatar_url = None
            if len(members) != 1:
                raise invalid(field, "must name exactly one other user")
        elif len(members) >= limit:
            raise invalid(field, f"must be fewer than {limit}")
        conversation, is_new = await services.store.create(
            services.new_id(), type_, user_id, members, name, avatar_url or None
        )
        if is_new:
            notification = Notification(NotificationType.CONVERSATION_CREATED, conversation.id)
            created = JsonBodyEncoder().notification(notification)
            services.tell_users(
                Notify(conversation.id, [(each.user_id, created) for each in conversation.participants])
            )
        return await self.answer(conversation, 201 if is_new else 200)

    async def change_details(self, conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_change)
        name = None if given.name is msgspec.UNSET else _checked_name(given.name or None) or ""
        avatar_url = None if given.avatar_url is msgspec.UNSET else _checked_url(given.avatar_url) or ""
        roster = await self._ask(conversation_id, lambda reply: ChangeDetails(user_id, name, avatar_url, reply))
        return await self.answer(roster.conversation)

    async def add(self, conversation_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_add)
        new_ids = tuple(dict.fromkeys(given.user_ids))
        limit = self._services.settings.max_group_size
        if not 1 <= len(new_ids) <= limit:
            raise invalid("userIds", f"must be 1 to {limit}")
        roster = await self._ask(conversation_id, lambda reply: AddMembers(user_id, new_ids, reply))
        return await self.answer(roster.conversation)

    async def change_role(self, conversation_id: UUID, member_id: UUID) -> Response:
        user_id, given = caller().user_id, await body(_decode_role)
        roster = await self._ask(conversation_id, lambda reply: ChangeRole(user_id, member_id, given.role, reply))
        return await self.answer(roster.conversation)

    async def remove(self, conversation_id: UUID, member_id: UUID) -> None:
        user_id = caller().user_id
        await self._ask(conversation_id, lambda reply: RemoveMember(user_id, member_id, reply))

    async def delete(self, conversation_id: UUID) -> None:
        principal = caller()
        administrator = ADMINISTRATORS in principal.roles
        await self._ask(conversation_id, lambda reply: DeleteConversation(principal.user_id, administrator, reply))

    async def _ask(self, conversation_id: UUID, make: Callable[[Reply[Roster]], ConversationMessage]) -> Roster:
        conversation = self._services.conversations.ref(conversation_id)
        return await conversation.ask(make, timeout=self._services.settings.ask_timeout)


def _checked_name(name: str | None) -> str | None:
    return None if name is None else check_name("name", name)


def _checked_url(url: str | None) -> str | None:
    if url:
        check_url("avatarUrl", url)
    return url
