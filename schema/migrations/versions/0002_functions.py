"""The append in two forms, and the search for the seq at a rev."""

from alembic import op

revision = "0002"
down_revision = "0001"

UP = """
CREATE FUNCTION append_batch(
    p_conversation uuid[], p_sender uuid[], p_client_message_id text[], p_id uuid[], p_body text[], p_reply_to uuid[]
) RETURNS TABLE (ord bigint, outcome text, id uuid, seq bigint, rev bigint, created_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
BEGIN
    PERFORM 1 FROM conversations c WHERE c.id = ANY (p_conversation) ORDER BY c.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    -- A statement of its own: its snapshot has all that was committed before the locks were granted.
    RETURN QUERY WITH item AS (
        SELECT t.*, c.last_seq, c.rev AS last_rev, greatest(v_now, c.active_at) AS at,
            old.id AS old_id, old.seq AS old_seq, old.rev AS old_rev, old.created_at AS old_at,
            CASE
                WHEN mine.id IS NOT NULL THEN 'new'
                WHEN c.id IS NULL THEN 'no conversation'
                WHEN member.user_id IS NULL THEN 'no member'
                WHEN old.id IS NOT NULL THEN 'repeated'
                WHEN member.silenced THEN 'silenced'
                WHEN t.reply_to IS NOT NULL AND NOT EXISTS (
                    SELECT FROM messages r WHERE r.conversation_id = t.conversation AND r.id = t.reply_to
                ) THEN 'no reply target'
                ELSE 'fresh'
            END AS verdict,
            mine.seq AS mine_seq, mine.rev AS mine_rev, mine.created_at AS mine_at
        FROM unnest(p_conversation, p_sender, p_client_message_id, p_id, p_body, p_reply_to) WITH ORDINALITY
            t (conversation, sender, client_message_id, id, body, reply_to, ord)
        LEFT JOIN conversations c ON c.id = t.conversation
        LEFT JOIN participants member ON member.conversation_id = t.conversation AND member.user_id = t.sender
        LEFT JOIN LATERAL (
            SELECT m.id, m.seq, m.rev, m.created_at FROM messages m
            WHERE m.conversation_id = t.conversation AND m.sender_id = t.sender
                AND m.client_message_id = t.client_message_id AND m.client_message_id IS NOT NULL LIMIT 1
        ) old ON true
        LEFT JOIN LATERAL (
            SELECT m.id, m.seq, m.rev, m.created_at FROM messages m
            WHERE m.conversation_id = t.conversation AND m.id = t.id AND m.sender_id = t.sender LIMIT 1
        ) mine ON true
    ), first AS (
        SELECT *, verdict = 'fresh' AND row_number() OVER (
            PARTITION BY verdict, conversation, sender, client_message_id,
                CASE WHEN client_message_id IS NULL THEN id END ORDER BY ord
        ) = 1 AS is_new FROM item
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE is_new) OVER (PARTITION BY conversation ORDER BY ord) AS k FROM first
    ), done AS MATERIALIZED (
        SELECT ord, conversation, sender, client_message_id, body, reply_to, is_new, verdict, at,
            first_value(id) OVER same AS id, first_value(last_seq + k) OVER same AS seq,
            first_value(last_rev + k) OVER same AS rev,
            id AS own_id, old_id, old_seq, old_rev, old_at, mine_seq, mine_rev, mine_at
        FROM numbered
        WINDOW same AS (
            PARTITION BY verdict, conversation, sender, client_message_id,
                CASE WHEN client_message_id IS NULL THEN id END ORDER BY ord
        )
    ), raised AS (
        UPDATE conversations c SET last_seq = x.seq, rev = x.rev, active_at = x.at, updated_at = x.at
        FROM (
            SELECT conversation, max(seq) AS seq, max(rev) AS rev, max(at) AS at FROM done WHERE is_new
            GROUP BY conversation
        ) x WHERE c.id = x.conversation
    ), marked AS (
        UPDATE participants p SET last_read_seq = greatest(p.last_read_seq, x.seq),
            last_delivered_seq = greatest(p.last_delivered_seq, x.seq)
        FROM (
            SELECT conversation, sender, max(seq) AS seq FROM done WHERE is_new GROUP BY conversation, sender
        ) x WHERE p.conversation_id = x.conversation AND p.user_id = x.sender
    ), inserted AS (
        INSERT INTO messages
            (conversation_id, seq, id, sender_id, reply_to, created_rev, rev, created_at, client_message_id, body)
        SELECT conversation, seq, id, sender, reply_to, rev, rev, at, client_message_id, body FROM done WHERE is_new
    )
    SELECT ord,
        CASE WHEN verdict <> 'fresh' THEN verdict WHEN is_new THEN 'new' ELSE 'repeated' END,
        CASE verdict WHEN 'fresh' THEN id WHEN 'new' THEN own_id ELSE old_id END,
        CASE verdict WHEN 'fresh' THEN seq WHEN 'new' THEN mine_seq ELSE old_seq END,
        CASE verdict WHEN 'fresh' THEN rev WHEN 'new' THEN mine_rev ELSE old_rev END,
        CASE verdict WHEN 'fresh' THEN at WHEN 'new' THEN mine_at ELSE old_at END
    FROM done;
END $$;
COMMENT ON FUNCTION append_batch IS
    'Appends messages in the order of the arrays; rows come back in no order, matched by ord. Outcomes: new (also for '
    'an id that is there already, from a call whose answer was lost), repeated (the first message with that '
    'client_message_id), no conversation, no member, silenced, no reply target. READ COMMITTED only.';

CREATE FUNCTION append_sound(
    p_conversation uuid[], p_sender uuid[], p_client_message_id text[], p_id uuid[], p_body text[], p_reply_to uuid[]
) RETURNS TABLE (ord bigint, seq bigint, rev bigint, created_at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
BEGIN
    PERFORM 1 FROM conversations c WHERE c.id = ANY (p_conversation) ORDER BY c.id FOR NO KEY UPDATE;
    v_now := clock_timestamp();
    FOR i IN 1 .. cardinality(p_reply_to) LOOP
        IF p_reply_to[i] IS NOT NULL THEN
            PERFORM 1 FROM messages m WHERE m.conversation_id = p_conversation[i] AND m.id = p_reply_to[i];
            IF NOT FOUND THEN
                RETURN;
            END IF;
        END IF;
    END LOOP;
    RETURN QUERY WITH done AS MATERIALIZED (
        SELECT t.*, member.user_id AS member, greatest(v_now, c.active_at) AS at,
            c.last_seq + row_number() OVER one_conversation AS seq, c.rev + row_number() OVER one_conversation AS rev
        FROM unnest(p_conversation, p_sender, p_client_message_id, p_id, p_body, p_reply_to) WITH ORDINALITY
            t (conversation, sender, client_message_id, id, body, reply_to, ord)
        LEFT JOIN conversations c ON c.id = t.conversation
        LEFT JOIN participants member
            ON member.conversation_id = t.conversation AND member.user_id = t.sender AND NOT member.silenced
        WINDOW one_conversation AS (PARTITION BY t.conversation ORDER BY t.ord)
    ), raised AS (
        UPDATE conversations c SET last_seq = x.seq, rev = x.rev, active_at = x.at, updated_at = x.at
        FROM (
            SELECT conversation, max(seq) AS seq, max(rev) AS rev, max(at) AS at FROM done GROUP BY conversation
        ) x WHERE c.id = x.conversation
    ), marked AS (
        UPDATE participants p SET last_read_seq = greatest(p.last_read_seq, x.seq),
            last_delivered_seq = greatest(p.last_delivered_seq, x.seq)
        FROM (
            SELECT conversation, sender, max(seq) AS seq FROM done GROUP BY conversation, sender
        ) x WHERE p.conversation_id = x.conversation AND p.user_id = x.sender
    ), inserted AS (
        INSERT INTO messages
            (conversation_id, seq, id, sender_id, reply_to, created_rev, rev, created_at, client_message_id, body)
        SELECT conversation, seq, id, member, reply_to, rev, rev, at, client_message_id, body FROM done
    )
    SELECT ord, seq, rev, at FROM done;
END $$;
COMMENT ON FUNCTION append_sound IS
    'The same for messages with which nothing is wrong, in half of the time for a few: none is looked up. All else '
    'appends nothing: what is stored already breaks a unique index, who is no member or is silenced leaves sender_id '
    'null, no conversation leaves seq null; for an unknown reply_to no row comes back. Then append_batch tells why.';

CREATE FUNCTION seq_at_rev(p_conversation uuid, p_rev bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_low bigint;
    v_high bigint;
    v_middle bigint;
BEGIN
    -- Each message raises rev by one and other changes do too, so at rev r there were at most r messages, and at
    -- least as many as there are now less the changes since.
    SELECT greatest(c.first_seq - 1, c.last_seq - greatest(c.rev - p_rev, 0)), least(c.last_seq, p_rev)
        INTO v_low, v_high FROM conversations c WHERE c.id = p_conversation;
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high + 1) / 2;
        IF (SELECT m.created_rev <= p_rev FROM messages m
                WHERE m.conversation_id = p_conversation AND m.seq = v_middle) THEN
            v_low := v_middle;
        ELSE
            v_high := v_middle - 1;
        END IF;
    END LOOP;
    RETURN v_low;
END $$;
COMMENT ON FUNCTION seq_at_rev IS
    'The last seq that the conversation had at a rev, by binary search: created_rev rises with seq.';
"""

DOWN = """
DROP FUNCTION seq_at_rev (uuid, bigint);
DROP FUNCTION append_sound (uuid[], uuid[], text[], uuid[], text[], uuid[]);
DROP FUNCTION append_batch (uuid[], uuid[], text[], uuid[], text[], uuid[]);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
