-- What staff are to hear: an alert for each window fact that calls somebody, written in the fact's own transaction, and
-- what is told of it to which role by which way. Instants are the service's.
CREATE TABLE outbox.alerts (
    -- The event that raised it, and its place in its case.
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    version bigint NOT NULL,
    case_number text NOT NULL,
    mass text,
    change text NOT NULL CHECK (change IN ('nearing', 'lapsed', 'escalated')),
    commitment text NOT NULL,
    lapse int,
    step text,
    due_at timestamptz NOT NULL,
    roles text[] NOT NULL,
    ways text[] NOT NULL,
    urgent boolean NOT NULL,
    raised_at timestamptz NOT NULL,
    -- Whether its tellings are rows.
    expanded boolean NOT NULL,
    -- Why nobody need act any more; the rank is the cause's weight, 0 while it is open.
    cause text,
    rank int NOT NULL DEFAULT 0,
    closed_by text,
    closed_at timestamptz,
    -- Closed since its tellings were last looked at.
    to_settle boolean NOT NULL DEFAULT false
);
CREATE INDEX alerts_of_case ON outbox.alerts (case_id);
CREATE INDEX alerts_fresh ON outbox.alerts (raised_at) WHERE NOT expanded;
CREATE INDEX alerts_open ON outbox.alerts (raised_at) WHERE rank = 0;
CREATE INDEX alerts_latest ON outbox.alerts (raised_at);
CREATE INDEX alerts_to_settle ON outbox.alerts (closed_at) WHERE to_settle;

CREATE TABLE outbox.tellings (
    alert_id uuid NOT NULL REFERENCES outbox.alerts (id),
    role text NOT NULL,
    way text NOT NULL,
    -- What is said: the alert's own change, or the cause for which it holds no more.
    change text NOT NULL,
    -- waiting: no message yet; made: there is one; withdrawn: none is sent; unreachable: the role has no such way.
    state text NOT NULL CHECK (state IN ('waiting', 'made', 'withdrawn', 'unreachable')),
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    message_id uuid,
    -- Whether the case knows that it was withdrawn.
    recorded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (alert_id, role, way, change)
);
CREATE INDEX tellings_waiting ON outbox.tellings (not_before) WHERE state = 'waiting';
CREATE INDEX tellings_of_message ON outbox.tellings (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX tellings_unrecorded ON outbox.tellings (alert_id) WHERE state = 'withdrawn' AND NOT recorded;

-- A message to staff may tell of several cases; of one that tells of one, about says what its case is to be told.
ALTER TABLE outbox.messages ALTER COLUMN case_id DROP NOT NULL;
ALTER TABLE outbox.messages ADD COLUMN about jsonb;
ALTER TABLE outbox.messages ADD COLUMN made_at timestamptz;
ALTER TABLE outbox.messages ADD COLUMN grouped text;
ALTER TABLE outbox.messages DROP CONSTRAINT messages_state_check;
ALTER TABLE outbox.messages ADD CONSTRAINT messages_state_check
    CHECK (state IN ('waiting', 'sent', 'proven', 'dead', 'withdrawn'));
CREATE INDEX messages_to_staff ON outbox.messages (made_at) WHERE made_at IS NOT NULL;
