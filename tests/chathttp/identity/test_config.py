from chathttp.identity.config import IdentityConfig
from chathttp.settings import Settings


def test_what_the_settings_say_holds() -> None:
    config = IdentityConfig.from_settings(
        Settings(
            jwt_issuer="https://issuer.example",
            jwt_audience="app",
            access_token_lifetime=60.0,
            refresh_token_lifetime=600.0,
            blocked_email_domains=("example.org",),
        )
    )
    assert (config.issuer, config.client_id) == ("https://issuer.example", "app")
    assert (config.access_lifetime, config.refresh_lifetime) == (60.0, 600.0)
    assert config.blocked_domains == ("example.org",)


def test_the_defaults_are_those_of_the_settings() -> None:
    assert IdentityConfig.from_settings(Settings()) == IdentityConfig()


def test_every_limit_of_identity_is_a_setting() -> None:
    settings = Settings(
        refresh_grace=1.0,
        code_lifetime=2.0,
        code_attempts=3,
        guess_interval=4.0,
        guess_burst=5,
        mail_interval=6.0,
        mail_burst=7,
        login_interval=8.0,
        login_burst=9,
        hash_threads=10,
        hash_queue=11,
    )
    config = IdentityConfig.from_settings(settings)
    assert (config.refresh_grace, config.code_lifetime, config.code_attempts) == (1.0, 2.0, 3)
    assert (config.guess_interval, config.guess_burst) == (4.0, 5)
    assert (config.mail_interval, config.mail_burst) == (6.0, 7)
    assert (config.login_interval, config.login_burst) == (8.0, 9)
    assert (config.hash_threads, config.hash_queue) == (10, 11)
