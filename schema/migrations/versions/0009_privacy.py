"""Retention, and the audit of what was exported or erased."""

from alembic import op

revision = "0009"
down_revision = "0008"

UP = """
ALTER TABLE conversations ADD COLUMN cut_rev bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN conversations.first_seq IS 'Number of the first message that retention has left.';
COMMENT ON COLUMN conversations.cut_rev IS
    'The created_rev of the last message that retention has deleted, 0 for none: who knows a lower rev missed some.';

ALTER TABLE users ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN users.erased_at IS
    'When the account was anonymised. The row stays for what refers to it, and its id is refused everywhere.';

CREATE TABLE former_participants (
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
);
COMMENT ON TABLE former_participants IS
    'Who has left what, or was removed: where what he wrote is to be found, which no index of the messages tells.';
CREATE INDEX former_participants_user ON former_participants (user_id, conversation_id);

CREATE FUNCTION remember_participant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- With its conversation there is nothing left to be found.
    INSERT INTO former_participants (conversation_id, user_id)
        SELECT c.id, OLD.user_id FROM conversations c WHERE c.id = OLD.conversation_id
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER participants_former AFTER DELETE ON participants
    FOR EACH ROW EXECUTE FUNCTION remember_participant();

CREATE TABLE claims (
    name text PRIMARY KEY,
    holder uuid,
    held_until timestamptz,
    position uuid,
    finished_at timestamptz,
    CHECK ((holder IS NULL) = (held_until IS NULL))
);
COMMENT ON TABLE claims IS
    'What one node or request at a time may do: who does it, until when unless he prolongs it, and how far he is.';

CREATE TABLE erasures (
    user_id uuid PRIMARY KEY REFERENCES users,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tombstone boolean NOT NULL,
    stage text NOT NULL DEFAULT 'leaving' CHECK (stage IN ('leaving', 'tombstoning')),
    conversation_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    seq bigint NOT NULL DEFAULT 0,
    holder uuid,
    held_until timestamptz,
    finished_at timestamptz
);
COMMENT ON TABLE erasures IS
    'Accounts that were anonymised, and how far the rest is: leaving groups and sealing DIRECT conversations, then, '
    'where messages are not to be kept, tombstones. Both go by conversation id; seq is how far in the present one.';
CREATE INDEX erasures_requested ON erasures (requested_at);
CREATE INDEX erasures_open ON erasures (requested_at) WHERE finished_at IS NULL;

CREATE TABLE audit (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    action text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    address text,
    request_id text
);
COMMENT ON TABLE audit IS 'Who had what exported or erased, when and from where. Never what was said.';
CREATE INDEX audit_user ON audit (user_id, id);

DROP INDEX reactions_user;
CREATE INDEX reactions_user ON reactions (user_id, conversation_id, seq, emoji);
"""

DOWN = """
DROP INDEX reactions_user;
CREATE INDEX reactions_user ON reactions (user_id);
DROP TABLE audit;
DROP TABLE erasures;
DROP TABLE claims;
DROP TRIGGER participants_former ON participants;
DROP FUNCTION remember_participant();
DROP TABLE former_participants;
ALTER TABLE users DROP COLUMN erased_at;
ALTER TABLE conversations DROP COLUMN cut_rev;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
