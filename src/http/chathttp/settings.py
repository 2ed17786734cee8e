"""Everything that can be set, each by the environment variable ``STACKMENTOR_<NAME>`` (12-factor, section III).

Durations are seconds and sizes are bytes unless the name says otherwise. Lists are separated by commas.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, Self, cast, get_args

import attrs

from chathttp.private_address import is_private_address
from chathttp.settings_fields import (
    PREFIX,
    Network,
    SettingsError,
    choice,
    directory,
    domain,
    integer,
    listing,
    media_type,
    network,
    number,
    origin,
    switch,
    text,
    url,
    variable_of,
)

__all__ = ["Network", "Profile", "SettingDoc", "Settings", "SettingsError", "describe", "variable_of"]

Profile = Literal["local", "staging", "production"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "console"]

_TRUSTED: Final = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"

_S3_OPTION: Final = r"(region=[a-z0-9-]+|endpoint=https?://[A-Za-z0-9.:/-]+)"
ATTACHMENTS_URL: Final = (
    rf"|file:.+|s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9](/[A-Za-z0-9._/-]*)?(\?{_S3_OPTION}(&{_S3_OPTION})?)?"
)
ATTACHMENT_TYPES: Final = (
    "image/jpeg,image/png,image/gif,image/webp,image/avif,image/heic,video/mp4,video/quicktime,video/webm,audio/mpeg,"
    "audio/mp4,audio/aac,audio/ogg,audio/wav,audio/webm,application/pdf,application/zip,text/plain,text/csv,"
    "application/msword,application/vnd.ms-excel,application/vnd.ms-powerpoint,"
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document,"
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,"
    "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)


@attrs.frozen(kw_only=True)
class Settings:
    """One node's settings. Raises :class:`SettingsError` when a value is out of its range."""

    profile: Profile = choice("local", "where it runs: local, staging or production", get_args(Profile))
    host: str = text(
        "127.0.0.1",
        "address to listen on; `serve` listens on 0.0.0.0 unless set",
        pattern=r"[0-9A-Za-z.:\-]+",
        shape="an address",
    )
    port: int = integer(8080, "port of REST, WebSocket and web client; 0 takes any free one", least=0, most=65_535)
    workers: int = integer(1, "processes of `serve`, each a node, that share its port", most=256)
    management_host: str = text(
        "127.0.0.1",
        "loopback address, or a Unix socket's path, of /metrics and console",
        pattern=".+",
        shape="an address",
    )
    management_port: int = integer(8081, "port of /metrics and console; 0 takes any free one", least=0, most=65_535)
    console_read_only: bool = switch(False, "that the console may look only, and do nothing")
    console_traces: int = integer(256, "messages that the console follows at once; the oldest is dropped", most=65_536)
    console_repl: bool = switch(False, "that the console may run Python in the event loop; never when read-only")
    console_repl_in_production: bool = switch(False, "that it may so with the profile production, too")
    console_repl_timeout: float = number(5.0, "time for what the console runs", most=60.0)
    console_repl_output: int = integer(65_536, "output of what the console runs; more is cut", least=256, most=2**24)
    stall_threshold: float = number(0.1, "time the event loop may be held before the console keeps why", least=0.02)
    trusted_proxies: tuple[Network, ...] = listing(
        _TRUSTED, "networks whose X-Forwarded-For and X-Forwarded-Proto are believed", network
    )
    cors_origins: tuple[str, ...] = listing("", "origins that may call from a browser and open WebSockets", origin)
    log_level: LogLevel = choice("info", "least severe level that is logged", get_args(LogLevel))
    log_format: LogFormat = choice("json", "json or console; `dev` writes console unless set", get_args(LogFormat))
    drain_time: float = number(20.0, "time over which sockets are closed at shutdown", least=0.0, most=3600.0)

    data_dir: Path = directory(".stackmentor", "where `dev` keeps its data and the embedded PostgreSQL")
    database_url: str = url(
        "PostgreSQL of `serve`; `dev` uses it in place of the embedded one", "postgresql", "postgres", secret=True
    )
    database_pool_size: int = integer(4, "connections for reads; one more writes", most=1000)
    database_connect_timeout: float = number(5.0, "time for one connection to PostgreSQL")
    statement_timeout: float = number(10.0, "time for one statement in PostgreSQL")
    append_batch_limit: int = integer(256, "messages in one merged append", most=10_000)
    append_batch_bytes: int = integer(1_048_576, "text in one merged append", least=65_536)
    append_queue: int = integer(16_384, "messages that wait for the database; more are refused as OVERLOADED")
    database_queue: int = integer(1024, "queries that wait for a connection; more are refused as OVERLOADED")

    database_replica_url: str = url(
        "streaming replica of the PostgreSQL that takes history, search and lists; unset: the primary does",
        "postgresql",
        "postgres",
        secret=True,
    )
    replica_pool_size: int = integer(4, "connections for reads of the replica; one more probes it", most=1000)
    replica_queue: int = integer(256, "reads that wait for one of them; more go to the primary")
    replica_lag_limit: float = number(2.0, "time that the replica may be behind and be read", most=60.0)
    replica_patience: float = number(0.1, "time a read waits for what it must see to reach the replica", most=5.0)
    replica_probe_interval: float = number(0.25, "time between probes of the replica", most=5.0)
    replica_probe_timeout: float = number(1.0, "time for a probe; then reads go to the primary", most=10.0)

    user_cache_size: int = integer(10_000, "profiles of users kept in memory", most=10_000_000)
    user_cache_age: float = number(60.0, "time for which a profile is believed when no word comes", most=3600.0)
    block_cache_size: int = integer(100_000, "users, and users that they blocked, kept in memory", most=10_000_000)
    block_cache_age: float = number(60.0, "time for which a list of blocks is believed when no word comes", most=3600.0)
    member_cache_size: int = integer(200_000, "memberships kept in memory", most=10_000_000)
    member_cache_age: float = number(1.0, "time for which a membership is believed at most", most=1.0)
    cache_age_unsure: float = number(1.0, "the same for all copies while word of changes may be lost", most=60.0)

    redis_url: str = url(
        "Redis that keeps several nodes in step; none: the node is alone", "redis", "rediss", "unix", secret=True
    )
    redis_cluster: bool = switch(False, "that Redis is a cluster: sharded pub/sub, and its own topology")
    redis_timeout: float = number(1.0, "time for one exchange with Redis, and for a connection to it")
    bridge_outbox: int = integer(16_384, "publishes that wait for Redis; beyond, others are told to read the database")
    bridge_outbox_bytes: int = integer(33_554_432, "the same in bytes", least=65_536)
    bridge_batch_bytes: int = integer(65_536, "size of a commit above which others are told to read the database")
    bridge_inbox: int = integer(4096, "messages from Redis that wait for this node; beyond, Redis is not read")
    bridge_inbox_bytes: int = integer(16_777_216, "the same in bytes", least=65_536)
    bridge_probe_interval: float = number(0.5, "time between probes of Redis; two misses mean away", most=60.0)
    sweep_interval: float = number(10.0, "time between comparisons with the database", most=3600.0)
    sweep_interval_away: float = number(1.0, "the same while Redis is away", most=3600.0)
    presence_grace: float = number(1.0, "time for which a user who reconnects is not offline", least=0.0, most=60.0)
    presence_limit: int = integer(100, "users whose presence one request may ask for", most=1000)
    presence_lifetime: float = number(6.0, "time after which a node that is silent takes its users offline", least=1.0)

    jwt_issuer: str = text(
        "https://identity.stackmentor.local", "`iss` of access tokens", pattern="[!-~]+", shape="printable ASCII"
    )
    jwt_audience: str = text(
        "stackmentor-app",
        "client id (or audience) of access tokens",
        pattern="[!-~]+",
        shape="printable ASCII",
    )
    access_token_lifetime: float = number(3600.0, "life of an access or id token of the embedded identity", least=1.0)
    refresh_token_lifetime: float = number(
        2_592_000.0, "life of a refresh token of the embedded identity", least=1.0, most=315_360_000.0
    )
    refresh_grace: float = number(10.0, "time in which a refresh whose answer was lost may be repeated", least=0.0)
    token_cache_size: int = integer(50_000, "access tokens remembered as checked")
    code_lifetime: float = number(900.0, "life of a code sent by e-mail")
    code_attempts: int = integer(5, "guesses at one code")
    guess_interval: float = number(300.0, "time that earns one more guess at the codes of an e-mail address")
    guess_burst: int = integer(10, "guesses at once at the codes of an e-mail address")
    mail_interval: float = number(60.0, "time that earns one more code for an e-mail address")
    mail_burst: int = integer(3, "codes at once for an e-mail address")
    login_interval: float = number(15.0, "time that earns one more failed login of an e-mail from one address")
    login_burst: int = integer(20, "failed logins at once of an e-mail from one address")
    hash_threads: int = integer(2, "passwords checked at once", most=256)
    hash_queue: int = integer(64, "password checks that may wait; more are refused as OVERLOADED")
    blocked_email_domains: tuple[str, ...] = listing("", "e-mail domains that may not sign up", domain)
    internal_secret: str = text(
        "",
        "X-Internal-Secret of `POST /internal/users`; empty: the route refuses all",
        pattern="|[!-~]{16,}",
        shape="at least 16 printable ASCII characters",
        secret=True,
    )

    send_rate: float = number(20.0, "messages a second and user", most=1e6)
    send_burst: int = integer(40, "messages a user may send at once")
    typing_rate: float = number(1.0, "typing events a second, user and conversation", most=1e6)
    typing_timeout: float = number(6.0, "time after which typing ends by itself")
    max_group_size: int = integer(1000, "participants of a group", least=2, most=100_000)
    max_reactions: int = integer(20, "different emojis on one message", most=1000)
    reaction_users: int = integer(100, "users named with one reaction; its count tells of all", most=10_000)
    max_blocks: int = integer(1000, "users that one user may block", most=100_000)
    purge_interval: float = number(60.0, "time between looks for deleted conversations that left messages")
    purge_batch: int = integer(1000, "messages of a deleted conversation deleted at once", most=100_000)
    retention_days: int = integer(0, "days after which messages are deleted; 0: they are kept", least=0, most=36_500)
    retention_interval: float = number(3600.0, "time between two passes that delete old messages")
    retention_batch: int = integer(200, "old messages of one conversation deleted at once", most=10_000)
    retention_pause: float = number(0.05, "time between two such batches", least=0.0, most=60.0)
    erasure_tombstones: bool = switch(False, "that the messages of an erased account become tombstones")
    erasure_batch: int = integer(200, "messages of an erased account made tombstones at once", most=10_000)
    erasure_pause: float = number(0.05, "time between two such batches", least=0.0, most=60.0)
    erasure_refresh: float = number(1.0, "time between looks for accounts that other nodes have erased", most=60.0)
    privacy_lease: float = number(30.0, "time after which another node goes on with what a dead one deleted", least=1.0)
    export_interval: float = number(60.0, "time between the end of a user's export and his next one", least=0.0)
    export_limit: int = integer(4, "exports that a node writes at once; more are refused as OVERLOADED", most=1000)
    export_time: float = number(1800.0, "time in which an export must have been read", most=86_400.0)
    export_link_lifetime: float = number(3600.0, "life of the links to attachments in an export", most=604_800.0)
    max_devices: int = integer(20, "devices of one user that get pushes", most=1000)
    push_url: str = url("where pushes are posted as JSON; unset: they are only logged", "http", "https", secret=True)
    push_secret: str = text("", "bearer token of these; empty: none", pattern="[!-~]*", shape="ASCII", secret=True)
    push_interval: float = number(1.0, "time between looks for messages to be pushed, and for pushes due", most=60.0)
    push_delay: float = number(1.0, "time in which more messages of a conversation join a push", least=0.0, most=60.0)
    push_clock_skew: float = number(10.0, "by how much nodes' clocks may differ with no push missed", most=600.0)
    push_claim_lease: float = number(10.0, "time after which another node looks in place of a dead one", most=600.0)
    push_timeout: float = number(10.0, "time for one push", most=60.0)
    push_concurrency: int = integer(8, "pushes that a node sends at once; the rest waits in the outbox", most=256)
    push_attempts: int = integer(10, "tries of one push before it is dropped", most=1000)
    push_backoff: float = number(1.0, "wait after the first try that failed; it doubles", most=3600.0)
    push_backoff_max: float = number(300.0, "longest wait between two tries", most=86_400.0)
    push_lease: float = number(300.0, "time after which another node sends what a dead one was sending", least=1.0)
    smtp_url: str = url(
        "smtp://user:password@host:587 (STARTTLS) or smtps://…:465 for mail; unset: files in the data directory",
        "smtp",
        "smtps",
        secret=True,
    )
    mail_from: str = text("no-reply@stackmentor.local", "sender of mail", pattern="[!-~]+@[!-~]+", shape="an address")
    smtp_timeout: float = number(
        10.0, "time for one exchange with the mail server; a mail has three times it", most=60.0
    )
    smtp_concurrency: int = integer(2, "mails that a node sends at once; the rest waits in the outbox", most=64)
    large_group_size: int = integer(100, "participants above which delivered marks are not broadcast")
    search_depth: int = integer(10_000, "newest matches of a search that are ranked", most=1_000_000)
    max_features: int = integer(1000, "feature flags", most=100_000)
    max_beta_users: int = integer(10_000, "beta users of one feature flag", most=1_000_000)
    features_refresh: float = number(10.0, "time between readings of the feature flags when no word comes", most=3600.0)
    replay_limit: int = integer(1000, "events that one subscription replays at most")
    replay_page: int = integer(200, "events in one page of a replay", most=10_000)
    replay_readers: int = integer(4, "replay pages read at once", most=1000)

    attachments_url: str = text(
        "",
        "where attachments are: s3://bucket/prefix?region=…&endpoint=… or file:/path; unset: in the data directory",
        pattern=ATTACHMENTS_URL,
        shape="s3://bucket/prefix?region=…&endpoint=https://… or file:/path",
    )
    attachment_types: tuple[str, ...] = listing(ATTACHMENT_TYPES, "media types that are taken", media_type)
    attachment_max_bytes: int = integer(209_715_200, "size of an attachment", most=5_368_709_120)
    attachment_unused_limit: int = integer(20, "attachments of a user that no message bears yet", most=10_000)
    attachment_unused_lifetime: float = number(86_400.0, "time after which what no message bears is deleted", least=60)
    attachment_upload_lifetime: float = number(300.0, "life of the link to upload", most=604_800.0)
    attachment_download_lifetime: float = number(300.0, "life of a link to download", most=604_800.0)
    attachment_check_timeout: float = number(5.0, "time a message waits for its uploads to be seen", most=60.0)
    attachment_sweep_interval: float = number(60.0, "time between searches for files that are to be deleted")
    attachment_threads: int = integer(4, "threads that ask S3, or the disk", most=256)
    attachment_queue: int = integer(256, "calls that wait for such a thread; more are refused as OVERLOADED")
    transfer_limit: int = integer(64, "files that go in or out of a node at once; more are refused as OVERLOADED")
    transfer_time: float = number(1800.0, "time in which a file must be in or out", most=86_400.0)
    transfer_stall_timeout: float = number(30.0, "time for the next piece of an upload", most=3600.0)

    max_connections: int = integer(50_000, "connections of one node; above it WebSockets are refused with 503")
    connect_rate: float = number(1000.0, "WebSockets let in a second; those above it are refused with 503", most=1e6)
    connect_burst: int = integer(500, "WebSockets let in at once")
    http_reserve: int = integer(64, "connections above max_connections that still serve HTTP, such as health checks")
    keep_alive_timeout: float = number(75.0, "time for the next request on a connection; longer than the balancer's")
    close_timeout: float = number(5.0, "time for a peer to end its side after our last byte")
    request_head_timeout: float = number(10.0, "time for a request's line and headers")
    max_request_head_bytes: int = integer(16_384, "size of a request's line and headers", least=1024, most=2**20)
    max_body_bytes: int = integer(1_048_576, "size of a request's body", least=1024)
    body_timeout: float = number(30.0, "time for a request's body")
    connect_timeout: float = number(10.0, "time from the WebSocket handshake to CONNECT")
    max_frame_bytes: int = integer(131_072, "size of one STOMP frame", least=1024, most=2**26)
    max_headers: int = integer(64, "headers of one STOMP frame", most=10_000)
    max_header_line_bytes: int = integer(8192, "size of one STOMP header line", least=64, most=2**20)
    max_subscriptions: int = integer(100, "subscriptions of one connection")
    max_sends_in_flight: int = integer(64, "SENDs of one connection that await their commit", most=10_000)
    outbox_limit_bytes: int = integer(1_048_576, "queued output of one connection, above it close 1013", least=4096)
    write_timeout: float = number(30.0, "time in which a peer must take some of what is written to it")
    heartbeat_ms: int = integer(
        10_000, "STOMP heart-beat offered and wanted, in milliseconds; 0: none", least=0, most=3_600_000
    )
    ping_interval: float = number(30.0, "time between WebSocket pings when there is no heart-beat")
    ping_timeout: float = number(60.0, "silence after which a pinged connection is dropped")
    sockjs_heartbeat: float = number(25.0, "silence after which a SockJS client gets a heart-beat")
    sockjs_disconnect_delay: float = number(5.0, "time without a receiving request after which a SockJS session ends")
    sockjs_response_bytes: int = integer(131_072, "size after which a streaming SockJS response ends", least=4096)

    ask_timeout: float = number(15.0, "time for an actor's answer")
    mailbox_timeout: float = number(5.0, "time a SEND waits for room in a full mailbox before it is refused")
    conversation_mailbox: int = integer(1024, "messages that wait for one conversation")
    notification_mailbox: int = integer(16_384, "notifications that wait for the node's users; more are dropped")
    notification_memory: int = integer(65_536, "pairs of user and conversation whose last notification is remembered")
    max_conversations: int = integer(100_000, "conversations held in memory")
    conversation_idle: float = number(60.0, "time after which an unused conversation leaves memory")
    fanout_slice: int = integer(256, "subscribers served before other tasks run", most=100_000)
    mark_flush_interval: float = number(1.0, "time between writes of read and delivered marks", most=3600.0)

    def __attrs_post_init__(self) -> None:
        if self.ping_timeout <= self.ping_interval:
            raise SettingsError("STACKMENTOR_PING_TIMEOUT must be above STACKMENTOR_PING_INTERVAL")
        if not is_private_address(self.management_host):
            raise SettingsError("STACKMENTOR_MANAGEMENT_HOST must be a loopback address or the path of a Unix socket")
        if self.port and self.port == self.management_port and not self.management_host.startswith("/"):
            raise SettingsError("STACKMENTOR_MANAGEMENT_PORT must not be STACKMENTOR_PORT")

    @classmethod
    def from_environment(cls, env: Mapping[str, str], *, required: Iterable[str] = ()) -> Self:
        """Reads the variables that begin with ``STACKMENTOR_``; an empty one counts as not set.

        ``required`` names fields that must be set. Raises :class:`SettingsError` on the first unknown, wrong or
        missing variable.
        """
        fields = {variable_of(field.name): field for field in attrs.fields(cls)}
        unknown = sorted(name for name in env if name.startswith(PREFIX) and name not in fields)
        if unknown:
            raise SettingsError(f"{unknown[0]} is not a setting")
        values: dict[str, object] = {}
        for variable, field in fields.items():
            given = env.get(variable, "").strip()
            if given:
                parse = cast("Callable[[str], object]", field.metadata["parse"])
                try:
                    values[field.name] = parse(given)
                except ValueError as error:
                    raise SettingsError(f"{variable} {error}") from None
        for name in required:
            if name not in values:
                raise SettingsError(f"{variable_of(name)} is not set")
        return cast("Callable[..., Self]", cls)(**values)


@attrs.frozen
class SettingDoc:
    """One row of the settings table: the variable, its default as one would write it, and what it does."""

    variable: str
    default: str
    doc: str


def _written(value: object) -> str:
    match value:
        case tuple():
            return ",".join(str(part) for part in cast("tuple[object, ...]", value))
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def describe() -> list[SettingDoc]:
    """Every setting in the order of declaration, for the operators' table."""
    return [
        SettingDoc(variable_of(field.name), _written(field.default), cast("str", field.metadata["doc"]))
        for field in attrs.fields(Settings)
    ]
