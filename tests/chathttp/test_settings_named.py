"""No setting is forgotten: each is used, and each is named by a test of what it does."""

import re
from pathlib import Path
from typing import Final

import attrs
import pytest

import chathttp
from actors.attachments.desk import AttachmentPolicy
from actors.conversation.policy import ConversationPolicy
from actors.mail import MailPolicy
from actors.presence.policy import PresencePolicy
from actors.push.finder import FinderPolicy
from actors.push.relay import RelayPolicy
from chathttp.policies import attachment_policy, conversation_policy, presence_policy
from chathttp.settings import Settings
from chathttp.wiring.outboxes import finder_policy, mail_policy, relay_policy

NAMES: Final = [field.name for field in attrs.fields(Settings)]
TESTS: Final = Path(__file__).parents[1]
UNNAMED: Final = frozenset(
    {
        "append_queue",
        "attachment_queue",
        "attachment_threads",
        "body_timeout",
        "bridge_inbox",
        "bridge_inbox_bytes",
        "bridge_outbox_bytes",
        "console_traces",
        "database_connect_timeout",
        "database_pool_size",
        "database_queue",
        "erasure_refresh",
        "export_interval",
        "export_link_lifetime",
        "export_time",
        "log_format",
        "notification_mailbox",
        "notification_memory",
        "redis_timeout",
        "replica_pool_size",
        "replica_queue",
        "stall_threshold",
        "token_cache_size",
    }
)
"""What they set is tested where it is a parameter, but no test says that the setting gets there. Add none."""


def texts_of(root: Path, *without: str) -> str:
    return "\n".join(
        path.read_text()
        for path in sorted(root.rglob("*.py"))
        if path.name not in without and "node_modules" not in path.parts
    )


def test_every_setting_is_used() -> None:
    sources = texts_of(Path(chathttp.__file__).parent, "settings.py")
    assert [name for name in NAMES if not re.search(rf"\.{name}\b", sources)] == []


def test_every_setting_is_named_by_a_test() -> None:
    tests = (
        texts_of(TESTS, Path(__file__).name) + Path(__file__).read_text().partition("def test_every_setting_is_used")[2]
    )
    unnamed = {name for name in NAMES if not re.search(rf"\b({name}|STACKMENTOR_{name.upper()})\b", tests)}
    assert unnamed - UNNAMED == set()


def test_what_is_set_reaches_attachments() -> None:
    settings = Settings(
        attachment_types=("image/png",),
        attachment_max_bytes=1,
        attachment_unused_limit=2,
        attachment_upload_lifetime=3.0,
        attachment_download_lifetime=4.0,
        transfer_time=5.0,
        attachment_unused_lifetime=60.0,
        attachment_sweep_interval=7.0,
        attachment_check_timeout=8.0,
    )
    assert attachment_policy(settings) == AttachmentPolicy(
        content_types=frozenset({"image/png"}),
        max_bytes=1,
        max_unused=2,
        upload_lifetime=3.0,
        download_lifetime=4.0,
        transfer_time=5.0,
        unused_lifetime=60.0,
        sweep_interval=7.0,
        check_timeout=8.0,
    )


def test_what_is_set_reaches_reactions_and_presence() -> None:
    assert conversation_policy(Settings(max_reactions=3)) == ConversationPolicy(max_reactions=3)
    settings = Settings(presence_lifetime=9.0, presence_grace=2.0)
    assert presence_policy(settings) == PresencePolicy(lifetime=9.0, grace=2.0)


def test_what_is_set_reaches_pushes() -> None:
    settings = Settings(
        push_interval=1.0,
        push_delay=2.0,
        statement_timeout=1.0,
        push_clock_skew=0.5,
        push_claim_lease=4.0,
        push_concurrency=5,
        push_attempts=6,
        push_backoff=7.0,
        push_backoff_max=8.0,
        push_lease=9.0,
    )
    assert finder_policy(settings) == FinderPolicy(interval=1.0, delay=2.0, settle=3.5, lease=4.0)
    assert relay_policy(settings) == RelayPolicy(
        interval=1.0, delay=2.0, concurrency=5, attempts=6, backoff=7.0, backoff_max=8.0, lease=9.0
    )


def test_what_is_set_reaches_mails() -> None:
    settings = Settings(smtp_timeout=5.0, smtp_concurrency=3)
    assert mail_policy(settings) == MailPolicy(concurrency=3, lease=20.0)


@pytest.mark.parametrize("name", ["reaction_users", "max_reactions", "purge_batch", "purge_interval", "push_timeout"])
def test_a_limit_of_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name.upper()):
        Settings.from_environment({f"STACKMENTOR_{name.upper()}": "0"})


@pytest.mark.parametrize(("name", "value"), [("smtp_url", "http://mail.example.com"), ("mail_from", "nobody")])
def test_a_mail_server_or_sender_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name.upper()):
        Settings.from_environment({f"STACKMENTOR_{name.upper()}": value})
