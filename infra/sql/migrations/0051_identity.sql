-- Who may act: secrets and sessions. What somebody may act as is in events; no name or telephone is here.
CREATE SCHEMA identity;

CREATE TABLE identity.credentials (
    actor text PRIMARY KEY CHECK (actor ~ '^[a-z][a-z0-9-]{1,39}$'),
    secret_hash text NOT NULL,
    must_change boolean NOT NULL DEFAULT false,
    set_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    failures integer NOT NULL DEFAULT 0,
    locked_until timestamp with time zone,
    second_factor bytea,
    second_factor_confirmed boolean NOT NULL DEFAULT false,
    last_code bigint
);

CREATE TABLE identity.recovery_codes (
    actor text NOT NULL REFERENCES identity.credentials ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamp with time zone,
    PRIMARY KEY (actor, code_hash)
);

CREATE TABLE identity.sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    actor text NOT NULL,
    role text NOT NULL,
    roles text[] NOT NULL,
    crew text,
    squad text,
    districts text[] NOT NULL,
    is_machine boolean NOT NULL,
    for_browser boolean NOT NULL,
    is_limited boolean NOT NULL,
    opened_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    used_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    ends_at timestamp with time zone NOT NULL
);

CREATE INDEX sessions_actor ON identity.sessions (actor);
CREATE INDEX sessions_end ON identity.sessions (ends_at);
