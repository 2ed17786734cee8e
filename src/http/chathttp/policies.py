"""What each part of a node is held to, taken from the settings."""

from math import inf
from typing import Final

from actors.attachments.desk import AttachmentPolicy
from actors.bridge.actor import BridgePolicy
from actors.bridge.outgoing import OutgoingLimits
from actors.bridge.sweeper import SweepPolicy
from actors.caching.cache import CachePolicy
from actors.conversation.policy import ConversationPolicy
from actors.presence.policy import PresencePolicy
from actors.privacy.erasure import ErasurePolicy
from actors.privacy.export import ExportPolicy
from actors.privacy.retention import RetentionPolicy
from chathttp.edge.limits import EdgeLimits
from chathttp.session.services import SessionPolicy
from chathttp.settings import Settings
from chathttp.sockjs.limits import SockjsLimits
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.session_state import ConnectionLimits

DOUBT_PER_STATEMENT_TIMEOUT: Final = 3.0
"""A write of unknown outcome may commit until its statement has timed out, and once more after a retry."""


def doubt_seconds(settings: Settings) -> float:
    """How long after a message got its id it may still be committed."""
    return DOUBT_PER_STATEMENT_TIMEOUT * settings.statement_timeout


def conversation_policy(settings: Settings) -> ConversationPolicy:
    return ConversationPolicy(
        mailbox_capacity=settings.conversation_mailbox,
        batch_limit=settings.append_batch_limit,
        idle_seconds=settings.conversation_idle,
        typing_timeout=settings.typing_timeout,
        typing_min_interval=1 / settings.typing_rate if settings.typing_rate else inf,
        mark_interval=settings.mark_flush_interval,
        large_room_members=settings.large_group_size,
        fanout_slice=settings.fanout_slice,
        history_page=settings.replay_page,
        max_members=settings.max_group_size,
        max_reactions=settings.max_reactions,
        doubt_seconds=doubt_seconds(settings),
    )


def bridge_policy(settings: Settings) -> BridgePolicy:
    return BridgePolicy(
        sweep=SweepPolicy(settings.sweep_interval, settings.sweep_interval_away),
        outgoing=OutgoingLimits(settings.bridge_batch_bytes, settings.bridge_outbox),
        beat_interval=settings.bridge_probe_interval,
    )


def user_cache_policy(settings: Settings) -> CachePolicy:
    return CachePolicy(settings.user_cache_size, settings.user_cache_age, settings.cache_age_unsure)


def block_cache_policy(settings: Settings) -> CachePolicy:
    return CachePolicy(settings.block_cache_size, settings.block_cache_age, settings.cache_age_unsure)


def member_cache_policy(settings: Settings) -> CachePolicy:
    return CachePolicy(settings.member_cache_size, settings.member_cache_age, settings.cache_age_unsure)


def presence_policy(settings: Settings) -> PresencePolicy:
    return PresencePolicy(lifetime=settings.presence_lifetime, grace=settings.presence_grace)


def session_policy(settings: Settings) -> SessionPolicy:
    return SessionPolicy(
        stomp=StompLimits(settings.max_frame_bytes, settings.max_headers, settings.max_header_line_bytes),
        connection=ConnectionLimits(max_subscriptions=settings.max_subscriptions),
        max_sends_in_flight=settings.max_sends_in_flight,
        connect_timeout=settings.connect_timeout,
        heartbeat_ms=settings.heartbeat_ms,
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        ask_timeout=settings.ask_timeout,
        mailbox_timeout=settings.mailbox_timeout,
        replay_limit=settings.replay_limit,
        replay_page=settings.replay_page,
    )


def retention_policy(settings: Settings) -> RetentionPolicy:
    return RetentionPolicy(
        days=settings.retention_days,
        interval=settings.retention_interval,
        batch=settings.retention_batch,
        pause=settings.retention_pause,
        lease=settings.privacy_lease,
    )


def erasure_policy(settings: Settings) -> ErasurePolicy:
    return ErasurePolicy(
        tombstone=settings.erasure_tombstones,
        batch=settings.erasure_batch,
        pause=settings.erasure_pause,
        lease=settings.privacy_lease,
        ask_timeout=settings.ask_timeout,
    )


def export_policy(settings: Settings) -> ExportPolicy:
    return ExportPolicy(settings.export_interval, settings.export_limit)


def attachment_policy(settings: Settings) -> AttachmentPolicy:
    return AttachmentPolicy(
        content_types=frozenset(settings.attachment_types),
        max_bytes=settings.attachment_max_bytes,
        max_unused=settings.attachment_unused_limit,
        upload_lifetime=settings.attachment_upload_lifetime,
        download_lifetime=settings.attachment_download_lifetime,
        transfer_time=settings.transfer_time,
        unused_lifetime=settings.attachment_unused_lifetime,
        sweep_interval=settings.attachment_sweep_interval,
        check_timeout=settings.attachment_check_timeout,
    )


def edge_limits(settings: Settings) -> EdgeLimits:
    return EdgeLimits(
        request_head_timeout=settings.request_head_timeout,
        max_request_head_bytes=settings.max_request_head_bytes,
        max_frame_bytes=settings.max_frame_bytes,
        outbox_limit_bytes=settings.outbox_limit_bytes,
        write_timeout=settings.write_timeout,
        max_connections=settings.max_connections,
        connect_rate=settings.connect_rate,
        connect_burst=settings.connect_burst,
        http_reserve=settings.http_reserve,
        keep_alive_timeout=settings.keep_alive_timeout,
        close_timeout=settings.close_timeout,
        sockjs=SockjsLimits(
            max_frame_bytes=settings.max_frame_bytes,
            outbox_limit_bytes=settings.outbox_limit_bytes,
            heartbeat=settings.sockjs_heartbeat,
            disconnect_delay=settings.sockjs_disconnect_delay,
            response_bytes=settings.sockjs_response_bytes,
            take_timeout=settings.ask_timeout,
        ),
    )
