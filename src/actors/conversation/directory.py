"""All conversations in use on this node."""

import random
from collections.abc import Callable
from uuid import UUID

from actors.conversation.actor import ConversationActor
from actors.conversation.audience import Audience
from actors.conversation.messages import ConversationMessage
from actors.conversation.refusal import refuse
from actors.conversation.room import ConversationServices
from actors.runtime.cell import ActorBehaviour, ActorContext
from actors.runtime.dynamic import DynamicSupervisor
from actors.runtime.events import SupervisorEvent
from actors.runtime.spec import RestartIntensity

Conversations = DynamicSupervisor[UUID, ConversationMessage]


def supervise_conversations(
    services: ConversationServices,
    *,
    max_conversations: int,
    intensity: RestartIntensity,
    rng: random.Random,
    on_event: Callable[[SupervisorEvent], None] | None = None,
) -> Conversations:
    """The dynamic supervisor of conversation actors; each conversation's audience outlives the crashes of its actor."""
    audiences: dict[UUID, Audience] = {}

    def behaviour(conversation_id: UUID) -> ActorBehaviour[ConversationMessage]:
        async def run(context: ActorContext[ConversationMessage]) -> None:
            audience = audiences.setdefault(conversation_id, Audience())
            await ConversationActor(services, audience, context).run(conversation_id)
            if not audience:
                audiences.pop(conversation_id, None)

        return run

    return DynamicSupervisor(
        "conversations",
        behaviour,
        capacity=services.policy.mailbox_capacity,
        max_children=max_conversations,
        intensity=intensity,
        rng=rng,
        refuse=refuse,
        on_event=on_event,
    )
