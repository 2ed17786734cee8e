"""Reactions to messages, and the end of a conversation."""

from alembic import op

revision = "0004"
down_revision = "0003"

UP = """
CREATE TABLE reactions (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    emoji text NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    rev bigint NOT NULL,
    PRIMARY KEY (conversation_id, seq, emoji, user_id),
    FOREIGN KEY (conversation_id, seq) REFERENCES messages ON DELETE CASCADE
);
COMMENT ON TABLE reactions IS
    'Who has reacted to which message. Each change raises rev of its message, so a message at its created_rev has '
    'none, and none are looked for. A tombstone has none either.';
COMMENT ON COLUMN reactions.rev IS 'The rev of the conversation at which it came: the order in which they are shown.';
CREATE INDEX reactions_user ON reactions (user_id);

CREATE TABLE deleted_conversations (
    id uuid PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE deleted_conversations IS
    'Conversations that are gone and whose messages are still to be deleted, some at a time.';
"""

DOWN = """
DROP TABLE deleted_conversations;
DROP TABLE reactions;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
