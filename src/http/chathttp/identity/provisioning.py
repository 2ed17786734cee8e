"""Accounts made by the operator instead of by sign-up: demo users, and users for load tests."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from actors.identity_ports import Account, AccountStore
from chatcore.errors import ChatError, ErrorCode
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import SigningKeys
from chathttp.identity.passwords import Passwords
from chathttp.identity.tokens import TokenMint, origin_of

LOAD_DOMAIN: Final = "load.invalid"
"""A domain that cannot exist (RFC 6761 section 6.4), so nobody signs up in it."""


async def provision_users(
    accounts: AccountStore,
    keys: SigningKeys,
    config: IdentityConfig,
    count: int,
    clock: Callable[[], datetime],
) -> list[tuple[UUID, str]]:
    """`count` new users without a password, each with an access token: `(user id, token)`."""
    batch = uuid4().hex
    users = [
        Account(uuid4(), f"load-{batch}-{number}@{LOAD_DOMAIN}", f"Load {number}", None, confirmed=True)
        for number in range(1, count + 1)
    ]
    await accounts.create(users)
    mint = TokenMint(keys, issuer=config.issuer, client_id=config.client_id, lifetime=config.access_lifetime)
    now = clock()
    return [(user.user_id, mint.access_token(user, now, origin_of(uuid4()), now)) for user in users]


async def ensure_user(
    accounts: AccountStore,
    passwords: Passwords,
    email: str,
    name: str,
    password: str,
    groups: tuple[str, ...] = (),
) -> UUID:
    """The confirmed user with that e-mail; made if there is none, else left as he is."""
    known = await accounts.find(email)
    if known is not None:
        return known.user_id
    account = Account(uuid4(), email, name, await passwords.hash(password), confirmed=True, groups=groups)
    try:
        await accounts.create([account])
    except ChatError as error:
        raced = await accounts.find(email) if error.code is ErrorCode.CONFLICT else None
        if raced is None:
            raise
        return raced.user_id
    return account.user_id
