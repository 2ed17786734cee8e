"""Attachments: what was promised, what was uploaded, and the message that bears it."""

from alembic import op

revision = "0005"
down_revision = "0004"

UP = """
CREATE TABLE attachments (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users,
    object_key text NOT NULL,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    upload_until timestamptz NOT NULL,
    uploaded_at timestamptz,
    conversation_id uuid,
    message_id uuid,
    discarded_at timestamptz,
    CHECK ((conversation_id IS NULL) = (message_id IS NULL))
);
COMMENT ON TABLE attachments IS
    'Promised uploads and what became of them. The bytes are in the object storage under object_key. A row that is '
    'discarded can be had and be used no more; a sweep deletes its bytes and then the row.';
COMMENT ON COLUMN attachments.upload_until IS 'Until then bytes may still come, so they are deleted only afterwards.';
COMMENT ON COLUMN attachments.uploaded_at IS 'When the storage was first seen to have the promised bytes.';
COMMENT ON COLUMN attachments.message_id IS 'The one message that bears it; set in the transaction that appends that.';
CREATE INDEX attachments_owner ON attachments (owner_id, created_at);
CREATE INDEX attachments_unused ON attachments (created_at) WHERE message_id IS NULL AND discarded_at IS NULL;
CREATE INDEX attachments_unused_owner ON attachments (owner_id) WHERE message_id IS NULL AND discarded_at IS NULL;
CREATE INDEX attachments_discarded ON attachments (discarded_at) WHERE discarded_at IS NOT NULL;

ALTER TABLE messages ADD COLUMN attachment_ids uuid[];
COMMENT ON COLUMN messages.attachment_ids IS 'In the order given; null without attachments and of tombstones.';

CREATE FUNCTION append_attached(
    p_conversation uuid[], p_sender uuid[], p_client_message_id text[], p_id uuid[], p_body text[], p_reply_to uuid[],
    p_attachments text[]
) RETURNS TABLE (ord bigint, outcome text, id uuid, seq bigint, rev bigint, created_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_wanted uuid[];
    v_taken uuid[] := '{}';
    v_source text;
    v_sources text[] := '{}';
    v_sound int[] := '{}';
    v_row record;
BEGIN
    PERFORM 1 FROM conversations c WHERE c.id = ANY (p_conversation) ORDER BY c.id FOR NO KEY UPDATE;
    PERFORM 1 FROM attachments a
        WHERE a.id = ANY (SELECT unnest(t.ids::uuid[]) FROM unnest(p_attachments) t (ids)) ORDER BY a.id FOR UPDATE;
    FOR i IN 1 .. cardinality(p_id) LOOP
        v_wanted := p_attachments[i]::uuid[];
        v_source := concat_ws(' ', p_conversation[i], p_sender[i], coalesce(p_client_message_id[i], p_id[i]::text));
        -- What is stored already, or is stored by an item before, is a repeat: what it bears is not looked at.
        IF v_wanted IS NOT NULL AND v_source <> ALL (v_sources)
            AND EXISTS (
                SELECT FROM participants p WHERE p.conversation_id = p_conversation[i] AND p.user_id = p_sender[i]
            ) AND NOT EXISTS (
                SELECT FROM messages m WHERE m.conversation_id = p_conversation[i] AND m.sender_id = p_sender[i]
                    AND m.client_message_id = p_client_message_id[i] AND m.client_message_id IS NOT NULL
            ) AND NOT EXISTS (
                SELECT FROM messages m
                WHERE m.conversation_id = p_conversation[i] AND m.sender_id = p_sender[i] AND m.id = p_id[i]
            )
        THEN
            IF v_wanted && v_taken OR cardinality(v_wanted) <> (
                SELECT count(*) FROM attachments a WHERE a.id = ANY (v_wanted) AND a.owner_id = p_sender[i]
                    AND a.uploaded_at IS NOT NULL AND a.message_id IS NULL AND a.discarded_at IS NULL
            ) THEN
                ord := i;
                outcome := 'no attachment';
                RETURN NEXT;
                CONTINUE;
            END IF;
            v_taken := v_taken || v_wanted;
        END IF;
        v_sources := v_sources || v_source;
        v_sound := v_sound || i;
    END LOOP;
    FOR v_row IN SELECT a.* FROM append_batch(
        ARRAY(SELECT p_conversation[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n),
        ARRAY(SELECT p_sender[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n),
        ARRAY(SELECT p_client_message_id[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n),
        ARRAY(SELECT p_id[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n),
        ARRAY(SELECT p_body[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n),
        ARRAY(SELECT p_reply_to[t.i] FROM unnest(v_sound) WITH ORDINALITY t (i, n) ORDER BY t.n)
    ) a LOOP
        ord := v_sound[v_row.ord];
        outcome := v_row.outcome;
        id := v_row.id;
        seq := v_row.seq;
        rev := v_row.rev;
        created_at := v_row.created_at;
        IF outcome = 'new' AND p_attachments[ord] IS NOT NULL THEN
            v_wanted := p_attachments[ord]::uuid[];
            -- Nothing is to do for what was stored by a call whose answer was lost, and may be deleted by now.
            UPDATE messages m SET attachment_ids = v_wanted
                WHERE m.conversation_id = p_conversation[ord] AND m.seq = v_row.seq
                    AND m.attachment_ids IS NULL AND m.deleted_at IS NULL;
            IF FOUND THEN
                UPDATE attachments a SET conversation_id = p_conversation[ord], message_id = v_row.id
                    WHERE a.id = ANY (v_wanted);
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION append_attached IS
    'As append_batch, for calls in which a message has attachments: p_attachments has them as text of a uuid[], null '
    'for none. They are bound in the same transaction. One more outcome: no attachment, for one that does not exist, '
    'is not the sender''s, is not uploaded, or is used by another message.';
"""

DOWN = """
DROP FUNCTION append_attached (uuid[], uuid[], text[], uuid[], text[], uuid[], text[]);
ALTER TABLE messages DROP COLUMN attachment_ids;
DROP TABLE attachments;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
