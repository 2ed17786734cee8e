"""Who listens to notifications, without a connection."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import attrs


@attrs.define(eq=False)
class Ear:
    """Implements `Listener`, and remembers what it heard."""

    user_id: UUID
    watched: set[UUID] = attrs.field(factory=set[UUID])
    closed: bool = False
    heard: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    on_notify: Callable[[], None] | None = None

    def watches(self, conversation_id: UUID) -> bool:
        return conversation_id in self.watched

    def notify(self, body: bytes) -> None:
        assert not self.closed
        if self.on_notify is not None:
            self.on_notify()
        self.heard.append(json.loads(body))
