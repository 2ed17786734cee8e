"""Brings the database's schema to a revision. Synchronous: runs before a server starts, or from the command line."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from attrs import frozen
from sqlalchemy import Connection, NullPool, create_engine

# A link to the repository's schema/migrations; in a wheel it is a folder with the same files.
_SCRIPTS: Final = Path(__file__).with_name("schema")
_LOCK_KEY: Final = 0x53544D47  # any number that nobody else locks in this database
_LOCK_TIMEOUT: Final = 60.0


class SchemaError(Exception):
    """The database's schema is not what this version needs, or another migration holds the lock."""


@frozen
class MigrationStatus:
    """`current` is None for a database without a schema; `pending` are the revisions to apply, in order."""

    current: str | None
    head: str
    pending: tuple[str, ...]


def migrate_up(database_url: str, revision: str = "head") -> None:
    """Apply all revisions up to `revision`, in one transaction. Raises `SchemaError`, `sqlalchemy.exc.DBAPIError`."""
    with _connect(database_url) as connection, _locked(connection):
        command.upgrade(_config(connection), revision)


def migrate_down(database_url: str, revision: str) -> None:
    """Undo all revisions after `revision` (`base`: all). Raises as `migrate_up`."""
    with _connect(database_url) as connection, _locked(connection):
        command.downgrade(_config(connection), revision)


def status(database_url: str) -> MigrationStatus:
    """Where the database stands. Raises `SchemaError` when its revision is unknown here."""
    with _connect(database_url) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        scripts = ScriptDirectory.from_config(_config(connection))
    head = scripts.get_current_head()
    if head is None:
        raise SchemaError(f"there are no migrations in {_SCRIPTS}")
    revisions = [script.revision for script in scripts.walk_revisions()]
    if current is not None and current not in revisions:
        raise SchemaError(f"the database has revision {current}, which this version does not know")
    pending = revisions[: revisions.index(current)] if current is not None else revisions
    return MigrationStatus(current, head, tuple(reversed(pending)))


def check(database_url: str) -> None:
    """Raises `SchemaError` unless the database is at the newest revision."""
    found = status(database_url)
    if found.pending:
        raise SchemaError(f"the database has revision {found.current}, this version needs {found.head}")


@contextmanager
def _connect(database_url: str) -> Generator[Connection]:
    # libpq reads the URL itself: SQLAlchemy's reading differs in sockets and escapes.
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database_url, connect_timeout=10, application_name="stackmentor-migrate"),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        yield connection


@contextmanager
def _locked(connection: Connection) -> Generator[None]:
    # Tried, not waited for: a waiting statement holds a snapshot, on which CREATE INDEX CONCURRENTLY would wait.
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while not connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).scalar_one():
        connection.rollback()
        if time.monotonic() > deadline:
            raise SchemaError("another migration is running on this database")
        time.sleep(0.2)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (_LOCK_KEY,))
        connection.commit()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
