"""The embedded identity provider on in-memory stores, with a clock and a letter box."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache

from attrs import define, field

from actors.adapters.memory import MemoryChat
from actors.adapters.memory.identity import MemoryIdentity
from actors.identity_ports import StoredKey
from actors.privacy.erased import Erased
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import SigningKeys, make_key, parse_key
from chathttp.identity.passwords import Passwords
from chathttp.identity.service import IdentityService
from chathttp.identity.verifier import TokenVerifier

PASSWORD = "Passw0rd!"


class WallClock:
    """A wall clock that moves only by `advance`."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@define
class LetterBox:
    """A mailer that keeps what it is given, as `(address, text)`; while `broken` it fails."""

    letters: list[tuple[str, str]] = field(factory=list[tuple[str, str]])
    broken: bool = False

    async def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        if self.broken:
            raise OSError("no space left on device")
        self.letters.append((to, text))

    def code(self) -> str:
        """The code in the last letter."""
        found = re.search(r"\b\d{6}\b", self.letters[-1][1])
        assert found is not None
        return found[0]


@define
class IdentityKit:
    chat: MemoryChat
    stores: MemoryIdentity
    keys: SigningKeys
    passwords: Passwords
    mails: LetterBox
    clock: WallClock
    config: IdentityConfig
    service: IdentityService
    verifier: TokenVerifier
    erased: Erased

    async def sign_up(self, email: str = "jan@example.com", name: str = "Jan") -> None:
        """A confirmed account with `PASSWORD`."""
        await self.service.signup(email, PASSWORD, name)
        await self.service.confirm(email, self.mails.code())


@cache
def _key() -> StoredKey:
    return make_key()


# Both take tens of milliseconds of CPU to make, and keep nothing of a test.
_parsed = cache(parse_key)
_passwords = cache(Passwords)


async def open_identity(config: IdentityConfig | None = None) -> IdentityKit:
    clock = WallClock()
    config = config or IdentityConfig()
    memory = MemoryChat(clock)
    stores, mails, passwords = MemoryIdentity(memory.users), LetterBox(), _passwords()
    memory.on_erased.append(stores.forget)
    erased = Erased(memory.erasures, refresh_seconds=1.0, tell_others=lambda _: None)
    keys = SigningKeys([_parsed(each) for each in await stores.load_or_store(_key())])
    service = IdentityService(stores, stores, keys, passwords, mails, config, clock)
    verifier = TokenVerifier(keys, issuer=config.issuer, client_id=config.client_id, erased=erased)
    return IdentityKit(memory, stores, keys, passwords, mails, clock, config, service, verifier, erased)
