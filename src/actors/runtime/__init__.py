"""The actor runtime: mailboxes, addresses, replies and supervisors on Trio.

Nurseries never leave this package. It knows nothing of chat but the error that a caller gets.
"""

from .cell import ActorBehaviour, ActorContext
from .child import UnexpectedReturn
from .dynamic import DynamicSupervisor
from .events import EventKind, OnEvent, SupervisorEvent
from .mailbox import Mailbox, MailboxClosed, MailboxFull
from .ref import MailboxRef, Ref
from .reply import Reply
from .snapshot import ActorSnapshot, ActorState, ChildSnapshot, DynamicSnapshot, SupervisorSnapshot
from .spec import ChildContext, ChildSpec, Restart, RestartIntensity, Strategy
from .supervisor import IntensityExceeded, Supervisor

__all__ = [
    "ActorBehaviour",
    "ActorContext",
    "ActorSnapshot",
    "ActorState",
    "ChildContext",
    "ChildSnapshot",
    "ChildSpec",
    "DynamicSnapshot",
    "DynamicSupervisor",
    "EventKind",
    "IntensityExceeded",
    "Mailbox",
    "MailboxClosed",
    "MailboxFull",
    "MailboxRef",
    "OnEvent",
    "Ref",
    "Reply",
    "Restart",
    "RestartIntensity",
    "Strategy",
    "Supervisor",
    "SupervisorEvent",
    "SupervisorSnapshot",
    "UnexpectedReturn",
]
