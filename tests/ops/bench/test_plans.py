"""Every statement of the server has an index to go by; the check finds one that has none."""

from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from actors.adapters.postgres.history import PostgresMessageHistory
from ops.bench.plans import __main__ as bench
from ops.bench.plans.calls import methods_of_adapters
from ops.bench.plans.depths import Depth
from ops.bench.plans.explained import Plan, Scan
from ops.bench.plans.findings import Findings, markdown
from tests.kit.postgres import remove_scratch, scratch_directory


@pytest.fixture(scope="module")
def directory() -> Generator[Path]:
    directory = scratch_directory()
    yield directory
    remove_scratch(directory)


def unindexed(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM messages WHERE body = 'nothing'")


def test_a_tiny_run_finds_no_statement_without_an_index_but_the_planted_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On so few rows PostgreSQL would read a table whole even where there is an index.
    configuration = f"{bench.CONFIGURATION}\nenable_seqscan = off\n"
    monkeypatch.setattr(bench, "CONFIGURATION", configuration)
    monkeypatch.setattr(bench, "LARGE", 50)
    found = bench.measure(directory, 6000, 600, 2000, 3, also=unindexed)
    assert {each.statement for each in found.scans} == {"SELECT count(*) FROM messages WHERE body = 'nothing'"}
    assert all(each.relation.startswith("messages_") for each in found.scans)
    assert found.statements > 200
    assert len(found.depths) == 4
    assert not found.is_good
    assert "count(*)" in markdown(found)


def found_in(*depths: Depth) -> Findings:
    return Findings("2026-01-01", "one", 1, 1, 1, 0.1, [], [], list(depths))


def test_a_deep_page_that_is_dearer_fails_the_run() -> None:
    assert found_in(Depth("page", 1.0, 1.9)).is_good
    assert not found_in(Depth("page", 1.0, 2.1)).is_good


def test_a_scan_below_a_join_is_found_and_one_that_never_ran_is_not() -> None:
    scan = {"Node Type": "Seq Scan", "Relation Name": "users", "Actual Rows": 3.0, "Rows Removed by Filter": 4}
    never = scan | {"Relation Name": "messages", "Actual Loops": 0}
    plan = Plan("SELECT", 1.0, {"Node Type": "Nested Loop", "Plans": [scan | {"Actual Loops": 1}, never]})
    assert list(plan.full_scans()) == [Scan("users", 7, "SELECT")]


def test_every_public_method_of_an_adapter_must_be_called() -> None:
    wanted = methods_of_adapters()
    assert f"{PostgresMessageHistory.__name__}.newest" in wanted
    assert not any("._" in each for each in wanted)
