"""Attachments: what was promised, what was uploaded, and the message that bears it."""

from alembic import op

revision = "0005"
down_revision = "0004"

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
