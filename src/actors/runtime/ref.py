"""Typed addresses of actors: all that a caller ever holds."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

from .mailbox import Mailbox
from .reply import Reply, Waiter

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
T = TypeVar("T")


class Ref(Protocol[M_contra]):
    """The address of an actor that understands the messages of type `M`."""

    @property
    def name(self) -> str: ...

    def tell(self, message: M_contra) -> None:
        """Put `message` in the actor's mailbox without waiting.

        Raises a `ChatError`: `OVERLOADED` when the mailbox is full, `UNAVAILABLE` when it is closed.
        """
        ...

    async def tell_wait(self, message: M_contra, timeout: float) -> None:
        """Like `tell`, but waits up to `timeout` seconds for room; then `OVERLOADED`."""
        ...

    async def ask(self, make: Callable[[Reply[T]], M_contra], *, timeout: float) -> T:
        """Tell the actor `make(reply)` and wait up to `timeout` seconds for the answer.

        Raises what `tell` raises, the `ChatError` that the actor answers with, and `UNAVAILABLE` at the
        deadline, when the outcome is unknown. A late answer is ignored.

        A lambda takes its type from where the answer goes (`seq: int = await ref.ask(lambda reply: …)`).
        """
        waiter = Waiter[T]()
        reply = Reply[T].to(waiter.settle, trio.current_time() + timeout)
        self.tell(make(reply))
        return await waiter.wait(reply)


class MailboxRef(Ref[M]):
    """The address of whoever consumes one mailbox."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox[M]) -> None:
        self._mailbox = mailbox

    @property
    def name(self) -> str:
        return self._mailbox.name

    def tell(self, message: M) -> None:
        self._mailbox.offer(message)

    async def tell_wait(self, message: M, timeout: float) -> None:
        await self._mailbox.put(message, timeout=timeout)
