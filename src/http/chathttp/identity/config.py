"""What can be set about identity."""

from typing import Self

from attrs import frozen

from chathttp.settings import Settings


@frozen(kw_only=True)
class IdentityConfig:
    """Durations are seconds. A rate of one in `x_interval` with burst `x_burst` is kept for each key named."""

    issuer: str = "https://identity.stackmentor.local"
    client_id: str = "stackmentor-app"
    access_lifetime: float = 3600.0
    refresh_lifetime: float = 30 * 86_400.0
    refresh_grace: float = 10.0
    """How long a client that lost the answer of a refresh may ask again with the same token."""
    blocked_domains: tuple[str, ...] = ()
    code_lifetime: float = 900.0
    code_attempts: int = 5
    """Guesses at one code."""
    guess_interval: float = 300.0
    """Guesses at all codes of an e-mail."""
    guess_burst: int = 10
    mail_interval: float = 60.0
    """Codes sent to one e-mail."""
    mail_burst: int = 3
    login_interval: float = 15.0
    """Failed logins of one e-mail from one address; a success gives all of them back."""
    login_burst: int = 20
    hash_threads: int = 2
    hash_queue: int = 64
    """Password checks that may wait for a thread; above it `OVERLOADED`."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            issuer=settings.jwt_issuer,
            client_id=settings.jwt_audience,
            access_lifetime=settings.access_token_lifetime,
            refresh_lifetime=settings.refresh_token_lifetime,
            blocked_domains=settings.blocked_email_domains,
            refresh_grace=settings.refresh_grace,
            code_lifetime=settings.code_lifetime,
            code_attempts=settings.code_attempts,
            guess_interval=settings.guess_interval,
            guess_burst=settings.guess_burst,
            mail_interval=settings.mail_interval,
            mail_burst=settings.mail_burst,
            login_interval=settings.login_interval,
            login_burst=settings.login_burst,
            hash_threads=settings.hash_threads,
            hash_queue=settings.hash_queue,
        )
