"""The embedded identity provider: accounts, one-time codes, refresh token families, signing keys."""

from alembic import op

revision = "0003"
down_revision = "0002"

UP = """
CREATE TABLE identity_accounts (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    password_hash text,
    confirmed boolean NOT NULL,
    groups text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE identity_accounts IS 'Who signs in here and not at Cognito; e-mail and name are those of users.';
COMMENT ON COLUMN identity_accounts.password_hash IS 'argon2id; null for an account that no password opens.';
COMMENT ON COLUMN identity_accounts.groups IS 'Roles: the claim cognito:groups.';

CREATE TABLE identity_codes (
    user_id uuid NOT NULL REFERENCES identity_accounts ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('confirm', 'reset')),
    code_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    attempts int NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (user_id, purpose)
);
COMMENT ON TABLE identity_codes IS 'The last code sent for each purpose; attempts are the guesses left.';

CREATE TABLE identity_families (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES identity_accounts ON DELETE CASCADE,
    token_hash bytea NOT NULL,
    previous_hash bytea,
    nonce bytea,
    rotated_at timestamptz,
    authenticated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE identity_families IS
    'One row a sign-in: its present refresh token, and the one before with what its successor was made from.';
CREATE INDEX identity_families_user ON identity_families (user_id);

CREATE TABLE identity_keys (
    generation int PRIMARY KEY,
    kid text NOT NULL UNIQUE,
    private_pem bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE identity_keys IS 'RSA signing keys, shared by all nodes; the highest generation signs.';
"""

DOWN = """
DROP TABLE identity_keys;
DROP TABLE identity_families;
DROP TABLE identity_codes;
DROP TABLE identity_accounts;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(UP)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
