"""What users decide on each other: blocks, reports, mutes."""

from alembic import op

revision = "0006"
down_revision = "0005"

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
