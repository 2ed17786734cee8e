"""Makes statements wait in PostgreSQL, and sees that they do."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import trio


@contextmanager
def holding_lock(database_url: str, conversation_id: UUID) -> Generator[None]:
    """Another session holds the conversation's row during the block."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM conversations WHERE id = %s FOR UPDATE", (conversation_id,))
        yield
        connection.rollback()


async def until_blocked(database_url: str) -> int:
    """The process id of a session that waits for a lock, as soon as there is one."""
    with psycopg.connect(database_url, autocommit=True) as connection, trio.fail_after(10):
        while True:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
            if row is not None:
                return row[0]
            await trio.sleep(0.01)


def terminate(database_url: str, pid: int | None = None) -> None:
    """Let the server end one session of this database, or all others."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid = coalesce(%s, pid)",
            (pid,),
        )
