"""Reactions to messages."""

from alembic import op

revision = "0004"
down_revision = "0003"

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
