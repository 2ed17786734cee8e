"""Feature flags."""

from alembic import op

revision = "0008"
down_revision = "0007"

UP = """
CREATE TABLE feature_flags (
    name text PRIMARY KEY,
    enabled boolean NOT NULL,
    beta_user_ids uuid[] NOT NULL,
    percent double precision NOT NULL CHECK (percent BETWEEN 0 AND 100),
    changed_by uuid NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE feature_flags IS
    'On for all when enabled, else for the beta users and for percent of all. Every node holds them in memory.';
"""

DOWN = """
DROP TABLE feature_flags;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
