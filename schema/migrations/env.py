"""Alembic's entry point; run only by `actors.adapters.postgres.migrations`, which brings the connection."""

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes["connection"]
if not isinstance(connection, Connection):
    raise TypeError("migrations run through actors.adapters.postgres.migrations")
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    # A change that cannot get its lock must fail, not queue up the whole traffic behind itself.
    connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
    context.run_migrations()
