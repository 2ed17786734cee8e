"""What the embedded identity provider needs from storage. Adapters implement these; each has an in-memory twin.

Times are aware UTC `datetime`s given by the caller. Every method may raise `ChatError` with `UNAVAILABLE` while the
database is away; for a write that means that its outcome is unknown.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from attrs import frozen


@frozen
class Account:
    """Who may sign in. `email` is as he wrote it, `password_hash` is in argon2's own form, None for no password."""

    user_id: UUID
    email: str
    name: str
    password_hash: str | None
    confirmed: bool
    groups: tuple[str, ...] = ()


class CodePurpose(StrEnum):
    CONFIRM = "confirm"
    RESET = "reset"


@frozen
class OneTimeCode:
    """A code that was sent to an account's address; a newer one of the same purpose takes its place."""

    purpose: CodePurpose
    code_hash: bytes
    expires_at: datetime
    attempts: int


@frozen
class Family:
    """One sign-in: the chain of refresh tokens that grows from it. Only hashes of tokens are kept."""

    id: UUID
    user_id: UUID
    token_hash: bytes
    authenticated_at: datetime
    expires_at: datetime


@frozen
class Rotated:
    """The successor stands."""

    account: Account
    authenticated_at: datetime


@frozen
class Repeated:
    """The token was rotated a moment ago and its successor is not used yet: `nonce` was that rotation's."""

    account: Account
    authenticated_at: datetime
    nonce: bytes


@frozen
class Refused:
    """No such living family, or an old token of it; then the family is dead now, and `reused` says so."""

    reused: UUID | None = None


Rotation = Rotated | Repeated | Refused


class AccountStore(Protocol):
    """Accounts, their user rows and their one-time codes. E-mails are compared without regard to case."""

    async def create(self, accounts: Sequence[Account]) -> None:
        """Accounts and their `users` rows (same id), all or none. Errors: `CONFLICT` when an e-mail is taken."""
        ...

    async def find(self, email: str) -> Account | None: ...

    async def put_code(self, user_id: UUID, code: OneTimeCode) -> None: ...

    async def confirm(self, user_id: UUID, code_hash: bytes, now: datetime) -> bool:
        """Spend the confirmation code and mark the account confirmed; false when the code does not stand.

        A wrong guess takes one of the code's attempts.
        """
        ...

    async def reset_password(self, user_id: UUID, code_hash: bytes, password_hash: str, now: datetime) -> bool:
        """Spend the reset code, set the password, confirm the account and end all its families; false as `confirm`."""
        ...

    async def set_groups(self, user_id: UUID, groups: Sequence[str]) -> None:
        """The roles of an account, in the tokens that are issued from then on; nothing for who has none."""
        ...


class RefreshStore(Protocol):
    """Families of refresh tokens."""

    async def open(self, family: Family) -> None:
        """A new sign-in; families of the same user that have expired are removed."""
        ...

    async def rotate(
        self,
        family_id: UUID,
        token_hash: bytes,
        successor_hash: bytes,
        nonce: bytes,
        *,
        now: datetime,
        repeat_after: datetime,
    ) -> Rotation:
        """Replace the family's present token by its successor.

        A token that was replaced later than `repeat_after`, and whose successor is unused, is `Repeated`. Any other
        token ends the family: it was used twice.
        """
        ...

    async def close(self, family_id: UUID) -> None:
        """End the family, if it lives."""
        ...


@frozen
class StoredKey:
    """An RSA signing key: its `kid` and the private key as PEM."""

    kid: str
    private_pem: bytes


class KeyStore(Protocol):
    async def load_or_store(self, fresh: StoredKey) -> list[StoredKey]:
        """All keys, oldest first. `fresh` is stored first if there is none, by one node only under a race."""
        ...
