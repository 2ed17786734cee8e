"""All conversations in use on this node."""

import random
from collections.abc import Callable
from uuid import UUID

import trio
from trio import TASK_STATUS_IGNORED, TaskStatus

from actors.conversation.actor import ConversationActor
from actors.conversation.audience import Attendance, Audience
from actors.conversation.messages import ConversationMessage, Refresh
from actors.conversation.refusal import refuse
from actors.conversation.room import ConversationServices, Room
from actors.conversation.subscription import Topic
from actors.runtime.cell import ActorBehaviour, ActorContext
from actors.runtime.dynamic import DynamicSupervisor
from actors.runtime.events import SupervisorEvent
from actors.runtime.spec import RestartIntensity
from chatcore.errors import ChatError
from chatcore.typing import Typing


class Conversations(DynamicSupervisor[UUID, ConversationMessage]):
    """The dynamic supervisor of conversation actors.

    Each conversation's attendance outlives the crashes of its actor. One that comes out of quarantine while there are
    subscriptions gets an actor again by itself: nobody else would tell them what they miss.
    """

    def __init__(
        self,
        services: ConversationServices,
        *,
        max_conversations: int,
        intensity: RestartIntensity,
        rng: random.Random,
        on_event: Callable[[SupervisorEvent], None] | None,
    ) -> None:
        super().__init__(
            "conversations",
            self._behave,
            capacity=services.policy.mailbox_capacity,
            max_children=max_conversations,
            intensity=intensity,
            rng=rng,
            refuse=refuse,
            on_event=on_event,
        )
        self._services = services
        self._attendances: dict[UUID, Attendance] = {}
        self._actors: dict[UUID, ConversationActor] = {}

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._attend)
            await super().run(task_status=task_status)
            nursery.cancel_scope.cancel()

    def marks_watched(self) -> list[UUID]:
        """Those in which somebody on this node is told of marks."""
        return [
            conversation_id
            for conversation_id, attendance in self._attendances.items()
            if any(attendance.audience.of_topic(Topic.READ))
        ]

    def rooms(self) -> list[Room]:
        """What the conversations in use hold in memory, for others to look at only."""
        return [actor.room for actor in self._actors.values() if actor.room is not None]

    def _behave(self, conversation_id: UUID) -> ActorBehaviour[ConversationMessage]:
        policy = self._services.policy

        async def run(context: ActorContext[ConversationMessage]) -> None:
            attendance = self._attendances.get(conversation_id)
            if attendance is None:
                attendance = Attendance(Audience(), Typing(policy.typing_timeout, policy.typing_min_interval))
                self._attendances[conversation_id] = attendance
            actor = self._actors[conversation_id] = ConversationActor(self._services, attendance, context)
            try:
                await actor.run(conversation_id)
            finally:
                del self._actors[conversation_id]

        return run

    async def _attend(self) -> None:
        """Look after the attendances that have no actor."""
        while True:
            await trio.sleep(self._services.policy.attend_seconds)
            for conversation_id in self._attendances.keys() - set(self.keys()):
                self._revive(conversation_id)

    def _revive(self, conversation_id: UUID) -> None:
        """Forget it if nobody is left, else wake its actor."""
        audience = self._attendances[conversation_id].audience
        audience.discard_closed()
        if not audience:
            del self._attendances[conversation_id]
            return
        try:
            self.ref(conversation_id).tell(Refresh())
        except ChatError:
            # Too many are live, or this one has just come back: there is a next time.
            return


def supervise_conversations(
    services: ConversationServices,
    *,
    max_conversations: int,
    intensity: RestartIntensity,
    rng: random.Random,
    on_event: Callable[[SupervisorEvent], None] | None = None,
) -> Conversations:
    """The conversations of a node, to be run as a child of its supervisor."""
    return Conversations(services, max_conversations=max_conversations, intensity=intensity, rng=rng, on_event=on_event)
