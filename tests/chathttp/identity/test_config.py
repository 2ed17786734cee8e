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
