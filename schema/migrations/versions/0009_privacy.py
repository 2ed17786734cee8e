"""Retention, and the audit of what was exported or erased."""

from alembic import op

revision = "0009"
down_revision = "0008"

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
