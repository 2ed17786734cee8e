"""What may be done to a node, and with what."""

from collections.abc import Collection, Iterator
from typing import Final

from attrs import frozen

from chatconsole.terminal.table import Kind, Target
from chatconsole.terminal.views.one import conversation_of

DISCONNECT: Final = "disconnect"
RESTART: Final = "restart"
PASSIVATE: Final = "passivate"
LOG_LEVEL: Final = "log-level"
DRAIN: Final = "drain"
SNAPSHOT: Final = "snapshot"


@frozen
class Offer:
    """An action as it can be asked for; `asks` is what the user has to write for it first."""

    action: str
    target: str
    label: str
    asks: str = ""


def offered(known: Collection[str], target: Target | None) -> Iterator[Offer]:
    """Of the actions that the node knows, those that fit what is selected, and those on the whole node."""
    if target is not None:
        for offer in _on(target):
            if offer.action in known:
                yield offer
    everywhere = (
        Offer(SNAPSHOT, "", "write a snapshot of everything to a file"),
        Offer(LOG_LEVEL, "", "change a log level", "LEVEL, or LOGGER LEVEL"),
        Offer(DRAIN, "", "drain the node, which ends it"),
    )
    yield from (offer for offer in everywhere if offer.action in known)


def _on(target: Target) -> Iterator[Offer]:
    if target.kind is Kind.SOCKET:
        yield Offer(DISCONNECT, target.id, f"disconnect {target.id}")
    conversation = conversation_of(target)
    if conversation is not None:
        yield Offer(RESTART, conversation, f"restart the actor of {conversation}")
        yield Offer(PASSIVATE, conversation, f"passivate {conversation}")


def log_level(written: str) -> tuple[str, str]:
    """The logger, empty for all, and the level of what the user wrote. Raises `ValueError`."""
    match written.split():
        case [level]:
            return "", level.lower()
        case [logger, level]:
            return logger, level.lower()
        case _:
            raise ValueError("LEVEL, or LOGGER LEVEL")
