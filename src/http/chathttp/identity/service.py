"""The embedded identity provider: sign-up, sign-in and what belongs to them."""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from email_validator import EmailNotValidError, validate_email

from actors.identity_ports import (
    Account,
    AccountStore,
    CodePurpose,
    Family,
    OneTimeCode,
    RefreshStore,
    Refused,
    Repeated,
    Rotated,
)
from chatcore.errors import ChatError, ErrorCode, invalid
from chatcore.validation import check_name, check_storable
from chathttp.identity.config import IdentityConfig
from chathttp.identity.keys import SigningKeys
from chathttp.identity.mail import Mailer
from chathttp.identity.passwords import Passwords, check_strength
from chathttp.identity.tokens import RefreshToken, TokenMint, Tokens, origin_of
from chathttp.rate import RateLimiter

_log = logging.getLogger(__name__)

NONCE_BYTES: Final = 16
MAX_EMAIL: Final = 254
"""RFC 5321 section 4.5.3.1.3, less the angle brackets."""


def normal_email(email: str) -> str:
    """The address in its normal form (RFC 5321, RFC 6531). Errors: `VALIDATION_ERROR`."""
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        raise invalid("email", "must be an e-mail address") from None


def _code_hash(user_id: UUID, purpose: CodePurpose, code: str) -> bytes:
    return sha256(f"{user_id}:{purpose}:{code}".encode()).digest()


def _wrong_credentials() -> ChatError:
    return ChatError(ErrorCode.INVALID_CREDENTIALS, "The e-mail address or the password is wrong")


def _dead_refresh_token() -> ChatError:
    return ChatError(ErrorCode.UNAUTHORIZED, "The refresh token is not valid")


class IdentityService:
    """Errors are those of the contract. `clock` gives aware UTC wall-clock time."""

    def __init__(
        self,
        accounts: AccountStore,
        refresh: RefreshStore,
        keys: SigningKeys,
        passwords: Passwords,
        mailer: Mailer,
        config: IdentityConfig,
        clock: Callable[[], datetime],
    ) -> None:
        self._accounts = accounts
        self._refresh = refresh
        self._keys = keys
        self._passwords = passwords
        self._mailer = mailer
        self._config = config
        self._clock = clock
        self._mint = TokenMint(keys, issuer=config.issuer, client_id=config.client_id, lifetime=config.access_lifetime)
        self._logins = RateLimiter[tuple[str, str]](1 / config.login_interval, config.login_burst)
        self._guesses = RateLimiter[str](1 / config.guess_interval, config.guess_burst)
        self._mails = RateLimiter[str](1 / config.mail_interval, config.mail_burst)

    def jwks(self) -> bytes:
        """The public keys as a JSON Web Key Set."""
        return self._keys.jwks()

    async def signup(self, email: str, password: str, name: str) -> UUID:
        """A new account, yet to be confirmed with the code that is sent. Errors: `CONFLICT`, `VALIDATION_ERROR`."""
        email = normal_email(email)
        domain = email.rpartition("@")[2].lower()
        if any(domain == blocked or domain.endswith("." + blocked) for blocked in self._config.blocked_domains):
            raise invalid("email", "is of a domain that cannot sign up")
        name = check_name("name", name)
        check_strength("password", password)
        if await self._accounts.find(email) is not None:
            raise ChatError(ErrorCode.CONFLICT, "The e-mail address is taken", {"email": "is taken"})
        account = Account(uuid4(), email, name, await self._passwords.hash(password), confirmed=False)
        await self._accounts.create([account])
        self._mails.take(email.lower(), self._clock().timestamp())
        await self._send_code(account, CodePurpose.CONFIRM)
        return account.user_id

    async def confirm(self, email: str, code: str) -> None:
        """Errors: `VALIDATION_ERROR` when the code does not stand, `RATE_LIMITED`."""
        account = await self._guess(email)
        if account is not None and account.confirmed:
            return
        if account is None or not await self._accounts.confirm(
            account.user_id, _code_hash(account.user_id, CodePurpose.CONFIRM, code), self._clock()
        ):
            raise invalid("code", "is wrong or has expired")
        self._guesses.give_back(account.email.lower())

    async def resend_confirmation(self, email: str) -> None:
        """Sends a new code to an account that waits for one, and answers alike if there is none."""
        account = await self._mailable(email)
        if account is not None and not account.confirmed:
            await self._send_code(account, CodePurpose.CONFIRM)

    async def forgot_password(self, email: str) -> None:
        """Sends a code to reset the password, and answers alike if there is no account."""
        account = await self._mailable(email)
        if account is not None:
            await self._send_code(account, CodePurpose.RESET)

    async def reset_password(self, email: str, code: str, new_password: str) -> None:
        """Ends all sign-ins of the account. Errors: `VALIDATION_ERROR`, `RATE_LIMITED`."""
        check_strength("newPassword", new_password)
        account = await self._guess(email)
        # Hashed in any case: an account that does not exist takes as long.
        password_hash = await self._passwords.hash(new_password)
        if account is None or not await self._accounts.reset_password(
            account.user_id, _code_hash(account.user_id, CodePurpose.RESET, code), password_hash, self._clock()
        ):
            raise invalid("code", "is wrong or has expired")
        self._guesses.give_back(account.email.lower())

    async def login(self, email: str, password: str, address: str) -> Tokens:
        """`address` is the client's: failures are counted for it and the e-mail together.

        Errors: `INVALID_CREDENTIALS`, `EMAIL_NOT_VERIFIED` (only with the right password), `RATE_LIMITED`.
        """
        check_storable("email", email)
        if len(email) > MAX_EMAIL:
            raise invalid("email", f"must have at most {MAX_EMAIL} characters")
        now = self._clock()
        attempt = (email.strip().lower(), address)
        wait = self._logins.take(attempt, now.timestamp())
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many attempts to sign in", retry_after=wait)
        account = await self._accounts.find(email.strip())
        known = account.password_hash if account is not None else None
        if not await self._passwords.verify(known, password) or account is None:
            raise _wrong_credentials()
        if not account.confirmed:
            raise ChatError(ErrorCode.EMAIL_NOT_VERIFIED, "The e-mail address is not confirmed yet")
        self._logins.give_back(attempt)
        token = RefreshToken.first(uuid4())
        expires_at = now + timedelta(seconds=self._config.refresh_lifetime)
        await self._refresh.open(Family(token.family_id, account.user_id, token.digest, now, expires_at))
        return self._tokens(account, token, now, since=now)

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens, with a new refresh token in place of the given one. Errors: `UNAUTHORIZED`."""
        token = RefreshToken.parse(refresh_token)
        if token is None:
            raise _dead_refresh_token()
        now = self._clock()
        nonce = secrets.token_bytes(NONCE_BYTES)
        outcome = await self._refresh.rotate(
            token.family_id,
            token.digest,
            token.successor(nonce).digest,
            nonce,
            now=now,
            repeat_after=now - timedelta(seconds=self._config.refresh_grace),
        )
        match outcome:
            case Rotated(account, since):
                return self._tokens(account, token.successor(nonce), now, since)
            case Repeated(account, since, first_nonce):
                return self._tokens(account, token.successor(first_nonce), now, since)
            case Refused(reused):
                if reused is not None:
                    _log.warning("refresh token used twice: ended a sign-in of user %s", reused)
                raise _dead_refresh_token()

    async def logout(self, refresh_token: str) -> None:
        """Ends the sign-in; a token that is dead or none at all is no error (RFC 7009 section 2.2)."""
        token = RefreshToken.parse(refresh_token)
        if token is not None:
            await self._refresh.close(token.family_id)

    def _tokens(self, account: Account, token: RefreshToken, now: datetime, since: datetime) -> Tokens:
        origin = origin_of(token.family_id)
        return Tokens(
            self._mint.access_token(account, now, origin, since),
            self._mint.id_token(account, now, origin, since),
            str(token),
            self._mint.lifetime,
        )

    async def _guess(self, email: str) -> Account | None:
        email = normal_email(email)
        wait = self._guesses.take(email.lower(), self._clock().timestamp())
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many wrong codes", retry_after=wait)
        return await self._accounts.find(email)

    async def _mailable(self, email: str) -> Account | None:
        email = normal_email(email)
        wait = self._mails.take(email.lower(), self._clock().timestamp())
        if wait is not None:
            raise ChatError(ErrorCode.RATE_LIMITED, "Too many mails to this address", retry_after=wait)
        return await self._accounts.find(email)

    async def _send_code(self, account: Account, purpose: CodePurpose) -> None:
        code = f"{secrets.randbelow(1_000_000):06d}"
        now = self._clock()
        await self._accounts.put_code(
            account.user_id,
            OneTimeCode(
                purpose,
                _code_hash(account.user_id, purpose, code),
                now + timedelta(seconds=self._config.code_lifetime),
                self._config.code_attempts,
            ),
        )
        subject = "Confirm your address" if purpose is CodePurpose.CONFIRM else "Reset your password"
        minutes = round(self._config.code_lifetime / 60)
        text = f"Hello {account.name},\n\nyour code is {code}. It is good for {minutes} minutes.\n"
        try:
            await self._mailer.send(account.email, subject, text, now)
        except OSError:
            # The account stands; its owner asks for another code.
            _log.exception("a code could not be sent to user %s", account.user_id)
