"""The page: what is on it, in the text format of Prometheus, by the reference parser."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from chathttp.management.metrics import Metrics, NodeFigures
from tests.kit.figures import FIGURES

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
OURS = {
    "stackmentor_connections": ("gauge", 9),
    "stackmentor_websockets": ("gauge", 7),
    "stackmentor_sessions": ("gauge", 63),
    "stackmentor_connects_refused_total": ("counter", 13),
    "stackmentor_conversations_live": ("gauge", 2),
    "stackmentor_conversations_crashes_total": ("counter", 4),
    "stackmentor_conversations_quarantines_total": ("counter", 1),
    "stackmentor_conversations_refused_total": ("counter", 6),
    "stackmentor_conversations_handled_total": ("counter", 70),
    "stackmentor_append_waiting": ("gauge", 8),
    "stackmentor_append_overloads_total": ("counter", 11),
    "stackmentor_notifications_dropped_total": ("counter", 12),
    "stackmentor_users_online": ("gauge", 14),
    "stackmentor_users_watched": ("gauge", 15),
    "stackmentor_presence_delayed_total": ("counter", 16),
    "stackmentor_database_up": ("gauge", 1),
    "stackmentor_attachments_promised_total": ("counter", 71),
    "stackmentor_attachments_stored_total": ("counter", 72),
    "stackmentor_attachments_expired_total": ("counter", 73),
    "stackmentor_attachments_deleted_total": ("counter", 74),
    "stackmentor_attachment_sweeps_total": ("counter", 75),
    "stackmentor_attachment_sweep_failures_total": ("counter", 76),
    "stackmentor_transfers": ("gauge", 77),
    "stackmentor_transfers_refused_total": ("counter", 78),
    "stackmentor_purge_pending": ("gauge", 1),
    "stackmentor_purged_messages_total": ("counter", 79),
    "stackmentor_purge_failures_total": ("counter", 80),
    "stackmentor_retention_deleted_messages_total": ("counter", 101),
    "stackmentor_retention_passes_total": ("counter", 102),
    "stackmentor_retention_failures_total": ("counter", 103),
    "stackmentor_retention_oldest_message_seconds": ("gauge", 104),
    "stackmentor_retention_since_pass_seconds": ("gauge", 105),
    "stackmentor_erasures_accepted_total": ("counter", 106),
    "stackmentor_erasures_finished_total": ("counter", 107),
    "stackmentor_erasures_delayed_total": ("counter", 108),
    "stackmentor_erasures_waiting": ("gauge", 109),
    "stackmentor_erasure_tombstones_total": ("counter", 110),
    "stackmentor_erased_accounts": ("gauge", 111),
    "stackmentor_exports": ("gauge", 112),
    "stackmentor_exports_total": ("counter", 113),
    "stackmentor_exports_broken_off_total": ("counter", 114),
    "stackmentor_push_queued_total": ("counter", 121),
    "stackmentor_push_sent_total": ("counter", 125),
    "stackmentor_push_failed_total": ("counter", 126),
    "stackmentor_push_tokens_gone_total": ("counter", 127),
    "stackmentor_push_dropped_total": ("counter", 128),
    "stackmentor_push_void_total": ("counter", 129),
    "stackmentor_push_outbox_failures_total": ("counter", 125),
    "stackmentor_push_pending": ("gauge", 122),
    "stackmentor_push_oldest_seconds": ("gauge", 123),
    "stackmentor_mail_sent_total": ("counter", 131),
    "stackmentor_mail_failed_total": ("counter", 132),
    "stackmentor_mail_expired_total": ("counter", 133),
    "stackmentor_mail_outbox_failures_total": ("counter", 135),
    "stackmentor_mail_pending": ("gauge", 134),
    "stackmentor_cache_hits_total": ("counter", 51),
    "stackmentor_cache_misses_total": ("counter", 52),
    "stackmentor_cache_joined_total": ("counter", 53),
    "stackmentor_cache_evictions_total": ("counter", 54),
    "stackmentor_cache_invalidations_total": ("counter", 55),
    "stackmentor_cache_weight": ("gauge", 56),
    "stackmentor_replica_up": ("gauge", 1),
    "stackmentor_replica_lag_seconds": ("gauge", 0.25),
    "stackmentor_replica_reads_total": ("counter", 61),
    "stackmentor_replica_refused_reads_total": ("counter", 62),
    "stackmentor_redis_up": ("gauge", 1),
    "stackmentor_redis_connects_total": ("counter", 21),
    "stackmentor_redis_round_trip_seconds": ("gauge", 0.5),
    "stackmentor_bridge_outbox": ("gauge", 22),
    "stackmentor_bridge_outbox_bytes": ("gauge", 23),
    "stackmentor_bridge_inbox": ("gauge", 24),
    "stackmentor_bridge_published_total": ("counter", 25),
    "stackmentor_bridge_received_total": ("counter", 27),
    "stackmentor_bridge_lost_total": ("counter", 26),
    "stackmentor_bridge_coalesced_total": ("counter", 33),
    "stackmentor_bridge_overdue": ("gauge", 32),
    "stackmentor_bridge_dropped_out_total": ("counter", 34),
    "stackmentor_bridge_dropped_in_total": ("counter", 35),
    "stackmentor_bridge_unknown_total": ("counter", 36),
    "stackmentor_bridge_malformed_total": ("counter", 37),
    "stackmentor_bridge_peers": ("gauge", 31),
    "stackmentor_sweeps_total": ("counter", 38),
    "stackmentor_sweep_failures_total": ("counter", 39),
    "stackmentor_sweep_moved_total": ("counter", 40),
}


def asynchronous(read: Callable[[], NodeFigures]) -> Callable[[], Awaitable[NodeFigures]]:
    async def read_there() -> NodeFigures:
        return read()

    return read_there


async def scraped(read: Callable[[], NodeFigures]) -> dict[str, tuple[str, float]]:
    """Type and value of each sample by its name; of those that differ in labels, the last."""
    page = (await Metrics(asynchronous(read)).page()).decode()
    return {
        sample.name: (family.type, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def test_figures_of_the_node_are_on_the_page_with_their_types() -> None:
    found = await scraped(lambda: FIGURES)
    assert {name: value for name, value in found.items() if name.startswith("stackmentor_")} == OURS


async def test_a_node_without_a_replica_shows_nothing_of_one() -> None:
    found = await scraped(lambda: evolve(FIGURES, replica=None))
    assert not [name for name in found if "replica" in name]


async def test_what_retention_has_not_seen_yet_is_not_shown() -> None:
    unknown = evolve(FIGURES.privacy, oldest_age=None, since_pass=None)
    found = await scraped(lambda: evolve(FIGURES, privacy=unknown))
    assert not {"stackmentor_retention_oldest_message_seconds", "stackmentor_retention_since_pass_seconds"} & set(found)
    assert "stackmentor_retention_passes_total" in found


async def test_a_node_whose_files_are_in_s3_shows_no_transfers() -> None:
    found = await scraped(lambda: evolve(FIGURES, transfers=None))
    assert not [name for name in found if "transfer" in name]
    assert "stackmentor_attachments_stored_total" in found


async def test_a_lag_that_is_not_known_is_not_shown() -> None:
    assert FIGURES.replica is not None
    unknown = evolve(FIGURES.replica, lag=None)
    found = await scraped(lambda: evolve(FIGURES, replica=unknown))
    assert "stackmentor_replica_lag_seconds" not in found
    assert "stackmentor_replica_up" in found


async def test_a_node_without_redis_shows_nothing_of_it() -> None:
    found = await scraped(lambda: evolve(FIGURES, bridge=None))
    assert not [name for name in found if "redis" in name or "bridge" in name or name.startswith("stackmentor_sweep")]


@pytest.mark.parametrize(("up", "shown"), [(True, 1), (False, 0)])
async def test_database_is_one_or_zero(up: bool, shown: int) -> None:
    found = await scraped(lambda: evolve(FIGURES, database_up=up))
    assert found["stackmentor_database_up"] == ("gauge", shown)


async def test_process_and_collector_of_garbage_are_on_the_page() -> None:
    found = await scraped(lambda: FIGURES)
    assert found["process_cpu_seconds_total"][1] > 0
    assert found["process_resident_memory_bytes"][1] > 10_000_000
    assert found["process_open_fds"][1] > 2
    assert {name for name in found if name.startswith("python_gc_")} == {
        "python_gc_collections_total",
        "python_gc_objects_collected_total",
        "python_gc_objects_uncollectable_total",
    }


async def test_figures_are_read_anew_at_each_scrape_and_only_then() -> None:
    reads: list[int] = []

    def read() -> NodeFigures:
        reads.append(len(reads))
        return evolve(FIGURES, connections=len(reads))

    metrics = Metrics(asynchronous(read))
    assert reads == []
    assert b"\nstackmentor_connections 1.0\n" in await metrics.page()
    assert b"\nstackmentor_connections 2.0\n" in await metrics.page()
    assert len(reads) == 2


async def test_nodes_of_one_process_have_pages_of_their_own() -> None:
    pages: dict[int, bytes] = {}
    nodes = {each: Metrics(asynchronous(partial(evolve, FIGURES, connections=each))) for each in (1, 2)}

    async def scrape(each: int) -> None:
        pages[each] = await nodes[each].page()

    async with trio.open_nursery() as nursery:
        for each in nodes:
            nursery.start_soon(scrape, each)
    for each, page in pages.items():
        assert b"\nstackmentor_connections %d.0\n" % each in page
        assert page.count(b"# TYPE process_cpu_seconds_total ") == 1


async def test_every_metric_of_ours_is_in_the_operators_table() -> None:
    table = OPERATIONS.read_text("utf-8")
    for name, (kind, _) in OURS.items():
        assert f"\n| `{name}` | {kind} | " in table
