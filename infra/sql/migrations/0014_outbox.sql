-- What is to be told to people: one row for each event that tells it, written in the event's own transaction. Instants
-- are real ones but answered_at, which is the service's: a fact says when something happened in the service.
CREATE SCHEMA outbox;

CREATE TABLE outbox.messages (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    kind text NOT NULL,
    way text NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    digest text NOT NULL,
    audience text[] NOT NULL,
    -- Whom it is for, where it is for one person: the address comes from the vault and is never here.
    subject_id uuid,
    -- waiting: to be sent; sent: taken, the proof is not on record; proven: it is; dead: given up, for last_error.
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'proven', 'dead')),
    -- Whether the case knows how it ended.
    recorded boolean NOT NULL DEFAULT false,
    round int NOT NULL DEFAULT 1,
    attempts int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    lease uuid,
    last_error text,
    answered_at timestamptz,
    receipt text,
    status text,
    proof_digest text,
    CHECK ((subject_id IS NULL) = (cardinality(audience) > 0))
);
CREATE INDEX messages_due ON outbox.messages (next_attempt_at) WHERE NOT recorded;
CREATE INDEX messages_dead ON outbox.messages (created_at) WHERE state = 'dead';
CREATE INDEX messages_page ON outbox.messages (created_at) WHERE way = 'page' AND state IN ('sent', 'proven');
