"""Users, conversations, participants and messages."""

from alembic import op

revision = "0001"
down_revision = None

MESSAGE_PARTITIONS = 16

UP = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Domains and a trigger rather than CHECKs where a column hardly ever changes: each statement that updates a table
-- parses all its CHECKs anew, and every message updates a conversation and a participant.
CREATE DOMAIN conversation_type AS text CHECK (VALUE IN ('DIRECT', 'GROUP'));
CREATE DOMAIN participant_role AS text CHECK (VALUE IN ('owner', 'admin', 'member'));
CREATE DOMAIN message_text AS text CHECK (char_length(VALUE) <= 10000);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    profile_picture_url text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE users IS 'Who may chat. The id is the identity provider''s sub.';
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX users_name ON users (lower(name), id);
CREATE INDEX users_name_trigrams ON users USING gin (lower(name) gin_trgm_ops);

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    type conversation_type NOT NULL,
    name text,
    avatar_url text,
    direct_low uuid REFERENCES users,
    direct_high uuid REFERENCES users,
    first_seq bigint NOT NULL DEFAULT 1,
    last_seq bigint NOT NULL DEFAULT 0,
    rev bigint NOT NULL DEFAULT 0,
    active_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (first_seq >= 1 AND last_seq >= first_seq - 1 AND rev >= last_seq)
) WITH (fillfactor = 50);
COMMENT ON TABLE conversations IS
    'One row a conversation. Its row lock orders all that changes in it: every writer of its messages, participants '
    'and marks locks it first, several of them in the order of id. No index may hold a column that a message '
    'changes, so that these updates stay heap-only.';
COMMENT ON COLUMN conversations.last_seq IS 'Number of the last message; first_seq to last_seq has no gap.';
COMMENT ON COLUMN conversations.rev IS 'Counts the changes: messages, edits, deletions, members, details.';
COMMENT ON COLUMN conversations.active_at IS 'Time of the last message, else of the creation; never falls.';
CREATE UNIQUE INDEX conversations_direct_pair ON conversations (direct_low, direct_high)
    WHERE direct_low IS NOT NULL;
CREATE INDEX conversations_direct_high ON conversations (direct_high) WHERE direct_high IS NOT NULL;

CREATE FUNCTION check_direct_pair() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE check_violation USING MESSAGE = 'a DIRECT conversation, and no other, has two users, the lower id first',
        CONSTRAINT = 'conversations_direct_pair_check', TABLE = 'conversations';
END $$;
CREATE TRIGGER conversations_direct_pair_check AFTER INSERT OR UPDATE OF type, direct_low, direct_high ON conversations
    FOR EACH ROW WHEN (NOT CASE NEW.type
        WHEN 'DIRECT' THEN NEW.direct_low IS NOT NULL AND NEW.direct_high IS NOT NULL
            AND NEW.direct_low < NEW.direct_high
        ELSE NEW.direct_low IS NULL AND NEW.direct_high IS NULL END)
    EXECUTE FUNCTION check_direct_pair();

CREATE TABLE participants (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users,
    role participant_role NOT NULL,
    joined_at timestamptz NOT NULL,
    last_read_seq bigint NOT NULL,
    last_delivered_seq bigint NOT NULL,
    silenced boolean NOT NULL DEFAULT false,
    PRIMARY KEY (conversation_id, user_id),
    CHECK (last_read_seq >= 0 AND last_delivered_seq >= last_read_seq)
) WITH (fillfactor = 50);
COMMENT ON TABLE participants IS
    'The present members with their marks, which never fall. No index may hold a mark, as above.';
COMMENT ON COLUMN participants.silenced IS
    'The other of a DIRECT conversation has blocked this one, who may not write. Here, so that an append asks no more.';
CREATE INDEX participants_user ON participants (user_id, conversation_id);

CREATE TABLE messages (
    conversation_id uuid NOT NULL,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    sender_id uuid NOT NULL,
    reply_to uuid,
    created_rev bigint NOT NULL,
    rev bigint NOT NULL,
    created_at timestamptz NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    client_message_id text,
    body message_text NOT NULL,
    -- The parser takes what is between angle brackets for a tag, and would leave it out.
    search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('simple'::regconfig, translate(body::text, '<>', '  '))
    ) STORED,
    PRIMARY KEY (conversation_id, seq),
    CHECK (rev >= created_rev),
    CHECK (deleted_at IS NULL OR body = '')
) PARTITION BY HASH (conversation_id);
COMMENT ON TABLE messages IS
    'All messages; deleted ones stay as tombstones. created_rev rises with seq. There are no foreign keys: the append '
    'checks conversation and sender under the row lock, and a check a row would cost a lock on the sender''s row.';
CREATE UNIQUE INDEX messages_id ON messages (id, conversation_id);
CREATE UNIQUE INDEX messages_client_message_id ON messages (conversation_id, sender_id, client_message_id)
    WHERE client_message_id IS NOT NULL;
CREATE INDEX messages_changed ON messages (conversation_id, rev) WHERE rev > created_rev;
CREATE INDEX messages_search ON messages USING gin (search);
"""

DOWN = """
DROP TABLE messages;
DROP TABLE participants;
DROP TABLE conversations;
DROP TABLE users;
DROP FUNCTION check_direct_pair();
DROP DOMAIN conversation_type;
DROP DOMAIN participant_role;
DROP DOMAIN message_text;
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(UP)
    for part in range(MESSAGE_PARTITIONS):
        connection.exec_driver_sql(
            f"CREATE TABLE messages_{part:02} PARTITION OF messages"
            f" FOR VALUES WITH (MODULUS {MESSAGE_PARTITIONS}, REMAINDER {part})"
        )


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
