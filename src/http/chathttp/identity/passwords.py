"""Password hashes: argon2id in worker threads."""

import secrets
import unicodedata
from typing import Final

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chatcore.errors import invalid, overloaded

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
"""Bounds the work that one request can ask for."""


def check_strength(field: str, password: str) -> None:
    """8 to 256 characters with an upper-case letter, a lower-case one and a digit. Errors: `VALIDATION_ERROR`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise invalid(field, f"must have {MIN_LENGTH} to {MAX_LENGTH} characters")
    if not (any(map(str.isupper, password)) and any(map(str.islower, password)) and any(map(str.isdigit, password))):
        raise invalid(field, "must have an upper-case letter, a lower-case letter and a digit")


def _normal(password: str) -> str:
    """NFKC (NIST SP 800-63B section 5.1.1.2): keyboards differ in how they compose the same letter."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """argon2id with 19 MiB, 2 passes and 1 lane, the OWASP password storage cheat sheet's first choice.

    At most `threads` hashes are made at once, and at most `queue` callers wait; more are refused as `OVERLOADED`.
    """

    def __init__(self, *, threads: int = 2, queue: int = 64) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._limiter = trio.CapacityLimiter(threads)
        self._queue = queue
        self._decoy = self._hasher.hash(secrets.token_hex())

    def _admit(self) -> None:
        if self._limiter.statistics().tasks_waiting >= self._queue:
            raise overloaded("Too many people sign in at once, try again in a moment")

    async def hash(self, password: str) -> str:
        self._admit()
        return await trio.to_thread.run_sync(self._hasher.hash, _normal(password), limiter=self._limiter)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password. None, for nobody's hash, is false after just as much work."""
        self._admit()
        if len(password) > MAX_LENGTH:
            return False
        return await trio.to_thread.run_sync(self._verify, password_hash, password, limiter=self._limiter)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._decoy, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
