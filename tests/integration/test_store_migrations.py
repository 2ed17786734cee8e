"""Migrations on a real PostgreSQL: up, down, and several at once."""

import threading

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from actors.adapters.postgres.migrations import SchemaError, check, migrate_down, migrate_up, status
from tests.kit.postgres import PostgresServer


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> str:
    return postgres_server.empty_database()


def objects(url: str) -> set[str]:
    """Tables, indexes and functions of the schema, but for the extension's and Alembic's own."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        ).fetchall()
    return {name for (name,) in rows if not name.startswith("alembic_version")}


def test_up_and_down_and_up_again(empty_url: str) -> None:
    before = status(empty_url)
    assert before.current is None
    assert len(before.pending) >= 2
    assert before.pending[-1] == before.head
    with pytest.raises(SchemaError, match=before.head):
        check(empty_url)
    migrate_up(empty_url)
    check(empty_url)
    after = status(empty_url)
    assert (after.current, after.head, after.pending) == (before.head, before.head, ())
    whole = objects(empty_url)
    assert {"users", "conversations", "participants", "messages", "messages_15", "append_batch"} <= whole
    migrate_up(empty_url)
    migrate_down(empty_url, "base")
    assert objects(empty_url) == set()
    assert status(empty_url) == before
    migrate_up(empty_url)
    assert objects(empty_url) == whole


def test_each_revision_undoes_exactly_what_it_did(empty_url: str) -> None:
    revisions = status(empty_url).pending
    seen = [objects(empty_url)]
    for revision in revisions:
        migrate_up(empty_url, revision)
        seen.append(objects(empty_url))
    for revision, expected in zip([*reversed(revisions[:-1]), "base"], reversed(seen[:-1]), strict=True):
        migrate_down(empty_url, revision)
        assert objects(empty_url) == expected


def test_several_at_once_apply_it_once(empty_url: str) -> None:
    errors: list[Exception] = []

    def migrate() -> None:
        try:
            migrate_up(empty_url)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    check(empty_url)


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE participants (mine int)")
    with pytest.raises(DBAPIError):
        migrate_up(empty_url)
    assert objects(empty_url) == {"participants"}
    assert status(empty_url).current is None
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("DROP TABLE participants")
    migrate_up(empty_url)


def test_a_newer_database_is_recognised(empty_url: str) -> None:
    migrate_up(empty_url)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999"):
        check(empty_url)


def test_every_table_is_commented(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname <> 'alembic_version' AND obj_description(oid) IS NULL"
        ).fetchall()
    assert rows == []
