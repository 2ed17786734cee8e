"""Devices, and the outboxes of pushes and mails."""

from alembic import op

revision = "0007"
down_revision = "0006"

UP = """
CREATE TABLE devices (
    user_id uuid NOT NULL REFERENCES users,
    device_id text NOT NULL,
    platform text NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
    push_token text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, device_id)
);
COMMENT ON TABLE devices IS 'Where pushes go. A token is of one device of one user: who registers it last.';
CREATE UNIQUE INDEX devices_token ON devices (platform, push_token);

CREATE TABLE push_outbox (
    user_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    queued_at timestamptz NOT NULL,
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    remaining text[],
    PRIMARY KEY (user_id, conversation_id)
);
COMMENT ON TABLE push_outbox IS
    'At most one push a user and conversation. What it says is read from the messages when it is sent.';
COMMENT ON COLUMN push_outbox.seq IS 'The newest message that the push is for, or was for.';
COMMENT ON COLUMN push_outbox.due_at IS
    'When it may be taken: while a node sends it, the end of its lease. NULL once it is sent or given up.';
COMMENT ON COLUMN push_outbox.remaining IS 'The devices to which it is still to be sent; NULL: to all.';
CREATE INDEX push_outbox_due ON push_outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX push_outbox_done ON push_outbox (queued_at) WHERE due_at IS NULL;

CREATE TABLE mail_outbox (
    id uuid PRIMARY KEY,
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    written_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE mail_outbox IS
    'Mails that are to be sent. due_at is when one may be taken: while a node sends it, the end of its lease.';
CREATE INDEX mail_outbox_due ON mail_outbox (due_at);
"""

DOWN = """
DROP TABLE mail_outbox;
DROP TABLE push_outbox;
DROP TABLE devices;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
