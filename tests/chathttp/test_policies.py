"""Every limit that a part of the node has is the one that the operator set."""

import attrs

from actors.bridge.actor import BridgePolicy
from actors.bridge.outgoing import OutgoingLimits
from actors.bridge.sweeper import SweepPolicy
from actors.conversation.policy import ConversationPolicy
from chathttp.edge.limits import EdgeLimits
from chathttp.policies import (
    DOUBT_PER_STATEMENT_TIMEOUT,
    bridge_policy,
    conversation_policy,
    edge_limits,
    session_policy,
)
from chathttp.settings import Settings
from chathttp.sockjs.limits import SockjsLimits
from chathttp.stomp.limits import StompLimits
from chathttp.stomp.session_state import ConnectionLimits


def test_the_settings_defaults_are_those_of_the_parts() -> None:
    settings = Settings()
    assert conversation_policy(settings) == ConversationPolicy()
    assert edge_limits(settings) == EdgeLimits()
    assert bridge_policy(settings) == BridgePolicy()
    session = session_policy(settings)
    assert (session.stomp, session.connection) == (StompLimits(), ConnectionLimits())


def test_what_is_set_reaches_the_conversation() -> None:
    settings = Settings(
        conversation_mailbox=1,
        append_batch_limit=2,
        conversation_idle=3.0,
        typing_timeout=4.0,
        typing_rate=0.2,
        mark_flush_interval=6.0,
        large_group_size=7,
        fanout_slice=8,
        replay_page=9,
        max_group_size=10,
        statement_timeout=11.0,
    )
    assert conversation_policy(settings) == ConversationPolicy(
        mailbox_capacity=1,
        batch_limit=2,
        idle_seconds=3.0,
        typing_timeout=4.0,
        typing_min_interval=5.0,
        mark_interval=6.0,
        large_room_members=7,
        fanout_slice=8,
        history_page=9,
        max_members=10,
        doubt_seconds=11.0 * DOUBT_PER_STATEMENT_TIMEOUT,
    )


def test_what_is_set_reaches_the_bridge() -> None:
    settings = Settings(
        sweep_interval=1.0,
        sweep_interval_away=2.0,
        bridge_batch_bytes=3,
        bridge_outbox=4,
        bridge_probe_interval=5.0,
    )
    assert bridge_policy(settings) == BridgePolicy(SweepPolicy(1.0, 2.0), OutgoingLimits(3, 4), 5.0)


def test_what_is_set_reaches_the_edge() -> None:
    names = {field.name for field in attrs.fields(EdgeLimits)} - {"sockjs"}
    settings = Settings(
        request_head_timeout=1.0,
        max_request_head_bytes=2000,
        max_frame_bytes=3000,
        outbox_limit_bytes=5000,
        write_timeout=6.0,
        max_connections=7,
        connect_rate=11.0,
        connect_burst=12,
        http_reserve=8,
        keep_alive_timeout=9.0,
        close_timeout=10.0,
    )
    limits = edge_limits(settings)
    assert {name: getattr(limits, name) for name in names} == {name: getattr(settings, name) for name in names}
    assert all(getattr(limits, name) != getattr(EdgeLimits(), name) for name in names)


def test_what_is_set_reaches_sockjs() -> None:
    settings = Settings(
        max_frame_bytes=3000,
        outbox_limit_bytes=5000,
        sockjs_heartbeat=6.0,
        sockjs_disconnect_delay=7.0,
        sockjs_response_bytes=8000,
        ask_timeout=9.0,
    )
    expected = SockjsLimits(
        max_frame_bytes=3000,
        outbox_limit_bytes=5000,
        heartbeat=6.0,
        disconnect_delay=7.0,
        response_bytes=8000,
        take_timeout=9.0,
    )
    assert edge_limits(settings).sockjs == expected


def test_what_is_set_reaches_the_session() -> None:
    settings = Settings(
        max_frame_bytes=2000,
        max_headers=3,
        max_header_line_bytes=64,
        max_subscriptions=5,
        max_sends_in_flight=6,
        connect_timeout=7.0,
        heartbeat_ms=8,
        ping_interval=9.0,
        ping_timeout=10.0,
        ask_timeout=11.0,
        mailbox_timeout=12.0,
        replay_limit=13,
        replay_page=14,
    )
    session = session_policy(settings)
    assert session.stomp == StompLimits(2000, 3, 64)
    assert session.connection.max_subscriptions == 5
    for name in (
        "max_sends_in_flight",
        "connect_timeout",
        "heartbeat_ms",
        "ping_interval",
        "ping_timeout",
        "ask_timeout",
        "mailbox_timeout",
        "replay_limit",
        "replay_page",
    ):
        assert getattr(session, name) == getattr(settings, name)
