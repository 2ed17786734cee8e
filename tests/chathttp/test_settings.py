from ipaddress import ip_address
from pathlib import Path

import pytest

from chathttp.settings import Settings, SettingsError, describe, variable_of


def test_nothing_set_gives_the_documented_defaults() -> None:
    settings = Settings.from_environment({"PATH": "/bin"})
    assert settings == Settings()
    assert (settings.port, settings.management_port, settings.profile) == (8080, 8081, "local")
    assert settings.data_dir == Path(".stackmentor")
    assert (settings.send_rate, settings.send_burst, settings.max_group_size) == (20.0, 40, 1000)
    assert (settings.max_frame_bytes, settings.max_headers, settings.max_header_line_bytes) == (131072, 64, 8192)
    assert (settings.max_subscriptions, settings.heartbeat_ms, settings.ping_timeout) == (100, 10_000, 60.0)


def test_every_setting_can_be_set_to_its_own_default_text() -> None:
    environment = {row.variable: row.default for row in describe()}
    assert Settings.from_environment(environment) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("STACKMENTOR_PORT", "http", "STACKMENTOR_PORT must be a whole number"),
        ("STACKMENTOR_PORT", "65536", "STACKMENTOR_PORT must be from 0 to 65535, not 65536"),
        ("STACKMENTOR_PORT", "-1", "STACKMENTOR_PORT must be from 0 to 65535, not -1"),
        ("STACKMENTOR_PORT", "٨٠", "STACKMENTOR_PORT must be a whole number"),
        ("STACKMENTOR_PORT", "8081", "STACKMENTOR_MANAGEMENT_PORT must not be STACKMENTOR_PORT"),
        ("STACKMENTOR_SEND_RATE", "0", "STACKMENTOR_SEND_RATE must be from 0.001 to 1e+06, not 0"),
        ("STACKMENTOR_SEND_RATE", "nan", "STACKMENTOR_SEND_RATE must be a number"),
        ("STACKMENTOR_DRAIN_TIME", "1e3", "STACKMENTOR_DRAIN_TIME must be a number"),
        ("STACKMENTOR_PROFILE", "prod", "STACKMENTOR_PROFILE must be one of local, staging, production, not prod"),
        ("STACKMENTOR_DATABASE_URL", "mysql://x", "STACKMENTOR_DATABASE_URL must be a URL of postgresql, postgres"),
        (
            "STACKMENTOR_INTERNAL_SECRET",
            "short",
            "STACKMENTOR_INTERNAL_SECRET must be at least 16 printable ASCII char",
        ),
        ("STACKMENTOR_TRUSTED_PROXIES", "10.0.0.1/8", "STACKMENTOR_TRUSTED_PROXIES must list networks"),
        ("STACKMENTOR_CORS_ORIGINS", "https://a.example/", "STACKMENTOR_CORS_ORIGINS must list origins"),
        ("STACKMENTOR_BLOCKED_EMAIL_DOMAINS", "@a.example", "STACKMENTOR_BLOCKED_EMAIL_DOMAINS must list domains"),
        ("STACKMENTOR_PING_TIMEOUT", "30", "STACKMENTOR_PING_TIMEOUT must be above STACKMENTOR_PING_INTERVAL"),
        ("STACKMENTOR_PROT", "8080", "STACKMENTOR_PROT is not a setting"),
    ],
)
def test_wrong_setting_is_one_line_that_names_it(variable: str, value: str, line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({variable: value})
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [{}, {"STACKMENTOR_DATABASE_URL": "  "}])
def test_required_setting_that_is_missing_is_named(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^STACKMENTOR_DATABASE_URL is not set$"):
        Settings.from_environment(given, required=("database_url",))


def test_values_given_in_code_are_held_to_the_same_range() -> None:
    with pytest.raises(SettingsError, match=r"^STACKMENTOR_MAX_HEADERS must be from 1 to 10000, not 0$"):
        Settings(max_headers=0)


def test_lists_are_split_at_commas() -> None:
    settings = Settings.from_environment(
        {
            "STACKMENTOR_TRUSTED_PROXIES": "192.0.2.0/24, 2001:db8::/32",
            "STACKMENTOR_CORS_ORIGINS": "https://App.Example.com,http://localhost:3000,https://[::1]:8443",
            "STACKMENTOR_BLOCKED_EMAIL_DOMAINS": "Mailinator.com",
        }
    )
    assert [ip_address("2001:db8::7") in network for network in settings.trusted_proxies] == [False, True]
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000", "https://[::1]:8443")
    assert settings.blocked_email_domains == ("mailinator.com",)


def test_secrets_stay_out_of_the_representation() -> None:
    secret = "correct-horse-battery"
    shown = repr(Settings(internal_secret=secret, database_url=f"postgresql://u:{secret}@h/d"))
    assert secret not in shown
    assert "port=8080" in shown


def test_every_setting_says_in_a_line_what_it_does() -> None:
    rows = describe()
    assert len({row.variable for row in rows}) == len(rows)
    assert all(row.doc and "\n" not in row.doc for row in rows)
    assert rows[1].variable == variable_of("host") == "STACKMENTOR_HOST"
