"""What users decide on each other: blocks, reports, mutes."""

from alembic import op

revision = "0006"
down_revision = "0005"

UP = """
CREATE TABLE blocks (
    blocker_id uuid NOT NULL REFERENCES users,
    blocked_id uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (blocker_id, blocked_id),
    CHECK (blocker_id <> blocked_id)
);
COMMENT ON TABLE blocks IS
    'Who does not want to hear from whom. In the DIRECT conversation of the two, participants.silenced says the same.';
CREATE INDEX blocks_blocked ON blocks (blocked_id);

CREATE TABLE mutes (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    until timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
COMMENT ON TABLE mutes IS
    'Who wants no push of which conversation until when. There is no foreign key to conversations or participants: '
    'each message updates a row of those, and would pay for it.';
CREATE INDEX mutes_user ON mutes (user_id);

CREATE TABLE reports (
    id uuid PRIMARY KEY,
    message_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    sender_id uuid NOT NULL REFERENCES users,
    body text NOT NULL,
    reporter_id uuid NOT NULL REFERENCES users,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (reporter_id, message_id)
);
COMMENT ON TABLE reports IS
    'Messages that were reported to the admins, with the text as it was then: the message may be edited or deleted.';
CREATE INDEX reports_sender ON reports (sender_id);
"""

DOWN = """
DROP TABLE reports;
DROP TABLE mutes;
DROP TABLE blocks;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
