"""Devices, and the outbox of pushes."""

from alembic import op

revision = "0007"
down_revision = "0006"

UP = """
SELECT;
"""

DOWN = """
SELECT;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
