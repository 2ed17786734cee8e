"""The messages that are followed."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from chatconsole.api.following import Trace
from chatconsole.api.messages import Follow

MOST_KEPT: Final = 200
"""Messages; the eldest are forgotten."""
FOLLOWING: Final = 3
"""The request's id."""


@define
class Followed:
    """What `request` brought."""

    request: Follow | None = None
    is_begun: bool = False
    """The node said that it follows: what is sent from now on is not missed."""
    dropped: int = 0
    _traces: OrderedDict[tuple[str, str], Trace] = field(factory=OrderedDict[tuple[str, str], Trace])

    def begin(self, request: Follow | None) -> None:
        """What was followed before is forgotten, unless nothing more is asked for."""
        if request is not None:
            self._traces.clear()
            self.dropped = 0
        self.request = request
        self.is_begun = False

    def add(self, traces: Iterable[Trace], dropped: int) -> None:
        for trace in traces:
            self._traces[trace.conversation, trace.message] = trace
        while len(self._traces) > MOST_KEPT:
            self._traces.popitem(last=False)
        self.dropped = dropped
        self.is_begun = True

    @property
    def traces(self) -> list[Trace]:
        """The newest first."""
        return list(reversed(self._traces.values()))


def following(text: str, conversations: Iterable[str]) -> Follow:
    """The request for what the user wrote: nothing or `any`, `conversation ID`, `message ID`, or an id alone, which is
    a conversation's if it is one of `conversations`. Raises `ValueError` with what may be written.
    """
    words = text.split()
    match words:
        case [] | ["any"]:
            return Follow(FOLLOWING)
        case ["conversation", found]:
            return Follow(FOLLOWING, conversation=found)
        case ["message", found]:
            return Follow(FOLLOWING, message=found)
        case [found] if found in set(conversations):
            return Follow(FOLLOWING, conversation=found)
        case [found]:
            return Follow(FOLLOWING, message=found)
        case _:
            raise ValueError("any, conversation ID, message ID, or an id")


def described(request: Follow) -> str:
    if request.message:
        return f"message {request.message}"
    return f"conversation {request.conversation}" if request.conversation else "any message"
