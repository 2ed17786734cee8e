"""The identity ports in memory, with the same outcomes as on PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import trio
from attrs import define, evolve

from actors.identity_ports import (
    Account,
    CodePurpose,
    Family,
    OneTimeCode,
    Refused,
    Repeated,
    Rotated,
    Rotation,
    StoredKey,
)
from actors.ports import UserDirectory
from chatcore.errors import ChatError, ErrorCode


@define
class _Chain:
    family: Family
    previous_hash: bytes | None = None
    nonce: bytes = b""
    rotated_at: datetime | None = None


class MemoryIdentity:
    """`AccountStore`, `RefreshStore` and `KeyStore`; the user rows are those of `users`."""

    def __init__(self, users: UserDirectory) -> None:
        self._users = users
        self._accounts: dict[UUID, Account] = {}
        self._by_email: dict[str, UUID] = {}
        self._codes: dict[tuple[UUID, CodePurpose], OneTimeCode] = {}
        self._chains: dict[UUID, _Chain] = {}
        self._keys: list[StoredKey] = []

    async def create(self, accounts: Sequence[Account]) -> None:
        emails = [each.email.lower() for each in accounts]
        if len(set(emails)) < len(emails) or not self._by_email.keys().isdisjoint(emails):
            raise ChatError(ErrorCode.CONFLICT, "The e-mail address is taken", {"email": "is taken"})
        for account in accounts:
            await self._users.add(account.user_id, account.email, account.name)
            self._accounts[account.user_id] = account
            self._by_email[account.email.lower()] = account.user_id

    def forget(self, user_id: UUID) -> None:
        """The account, its codes and its sign-ins end."""
        self._accounts.pop(user_id, None)
        self._by_email = {email: each for email, each in self._by_email.items() if each != user_id}
        self._codes = {key: code for key, code in self._codes.items() if key[0] != user_id}
        self._chains = {key: each for key, each in self._chains.items() if each.family.user_id != user_id}

    async def find(self, email: str) -> Account | None:
        user_id = self._by_email.get(email.lower())
        return None if user_id is None else await self._present(user_id)

    async def set_groups(self, user_id: UUID, groups: Sequence[str]) -> None:
        await trio.lowlevel.checkpoint()
        if user_id in self._accounts:
            self._accounts[user_id] = evolve(self._accounts[user_id], groups=tuple(groups))

    async def _present(self, user_id: UUID) -> Account:
        (user,) = await self._users.get([user_id])
        return evolve(self._accounts[user_id], name=user.name)

    async def put_code(self, user_id: UUID, code: OneTimeCode) -> None:
        await trio.lowlevel.checkpoint()
        self._codes[user_id, code.purpose] = code

    def _spend(self, user_id: UUID, purpose: CodePurpose, code_hash: bytes, now: datetime) -> bool:
        code = self._codes.get((user_id, purpose))
        if code is None or code.attempts <= 0 or now >= code.expires_at:
            return False
        if code.code_hash != code_hash:
            self._codes[user_id, purpose] = evolve(code, attempts=code.attempts - 1)
            return False
        del self._codes[user_id, purpose]
        return True

    async def confirm(self, user_id: UUID, code_hash: bytes, now: datetime) -> bool:
        await trio.lowlevel.checkpoint()
        if not self._spend(user_id, CodePurpose.CONFIRM, code_hash, now):
            return False
        self._accounts[user_id] = evolve(self._accounts[user_id], confirmed=True)
        return True

    async def reset_password(self, user_id: UUID, code_hash: bytes, password_hash: str, now: datetime) -> bool:
        await trio.lowlevel.checkpoint()
        if not self._spend(user_id, CodePurpose.RESET, code_hash, now):
            return False
        self._accounts[user_id] = evolve(self._accounts[user_id], password_hash=password_hash, confirmed=True)
        self._chains = {key: each for key, each in self._chains.items() if each.family.user_id != user_id}
        return True

    async def open(self, family: Family) -> None:
        await trio.lowlevel.checkpoint()
        self._chains = {
            key: each
            for key, each in self._chains.items()
            if each.family.user_id != family.user_id or each.family.expires_at > family.authenticated_at
        }
        self._chains[family.id] = _Chain(family)

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
        await trio.lowlevel.checkpoint()
        chain = self._chains.get(family_id)
        if chain is None or now >= chain.family.expires_at:
            return Refused()
        since = chain.family.authenticated_at
        if chain.family.token_hash == token_hash:
            chain.previous_hash, chain.nonce, chain.rotated_at = token_hash, nonce, now
            chain.family = evolve(chain.family, token_hash=successor_hash)
            return Rotated(await self._present(chain.family.user_id), since)
        if chain.previous_hash == token_hash and chain.rotated_at is not None and chain.rotated_at > repeat_after:
            return Repeated(await self._present(chain.family.user_id), since, chain.nonce)
        del self._chains[family_id]
        return Refused(reused=chain.family.user_id)

    async def close(self, family_id: UUID) -> None:
        await trio.lowlevel.checkpoint()
        self._chains.pop(family_id, None)

    async def load_or_store(self, fresh: StoredKey) -> list[StoredKey]:
        await trio.lowlevel.checkpoint()
        if not self._keys:
            self._keys.append(fresh)
        return list(self._keys)
