-- Billing's books: double entry in fen, accounts, meters, readings and holds, each row by the event that it comes from.
-- Everything but the account numbers can be made anew from the topics, so the older books go and are read again; an
-- account that was opened keeps its number.
CREATE TABLE billing.numbers (
    case_id uuid NOT NULL,
    point int NOT NULL,
    account_number bigint NOT NULL UNIQUE,
    PRIMARY KEY (case_id, point)
);
INSERT INTO billing.numbers SELECT case_id, point, account_number FROM billing.accounts;
DROP TABLE billing.meter_changes, billing.holds, billing.accounts, billing.inbox;
DROP SEQUENCE billing.account_numbers;
DELETE FROM billing.places;

-- Books are made in builds; one is live. Whoever writes to a build locks its row, so there is one writer at a time.
CREATE TABLE billing.builds (
    build int PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('live', 'making')),
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    live_at timestamptz
);
CREATE UNIQUE INDEX builds_live ON billing.builds (state) WHERE state = 'live';
INSERT INTO billing.builds (build, state, live_at) VALUES (1, 'live', clock_timestamp());

-- outcome: booked; duplicate: another event said the same before; odd: it does not fit what is booked, see note.
CREATE TABLE billing.inbox (
    build int NOT NULL,
    event_id uuid NOT NULL,
    natural_key text NOT NULL,
    type text NOT NULL,
    case_id uuid NOT NULL,
    position bigint NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    happened_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('booked', 'duplicate', 'odd')),
    note text,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (build, event_id)
);
CREATE UNIQUE INDEX inbox_natural ON billing.inbox (build, natural_key) WHERE outcome = 'booked';
CREATE INDEX inbox_case ON billing.inbox (build, case_id, position);

-- What a case comes to for billing; quote_lines: fee -> fen of the quote in force.
CREATE TABLE billing.cases (
    build int NOT NULL,
    case_id uuid NOT NULL,
    case_number text,
    category text,
    payer_class text,
    desk text,
    owner text,
    catalogue text,
    quote int,
    quote_lines jsonb NOT NULL DEFAULT '{}',
    stopped text,
    PRIMARY KEY (build, case_id)
);
CREATE TABLE billing.money (
    build int NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
    number text NOT NULL,
    lines jsonb NOT NULL,
    reversed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (build, case_id, kind, number)
);
CREATE TABLE billing.changes (
    build int NOT NULL,
    event_id uuid NOT NULL,
    what text NOT NULL,
    old text,
    new text,
    PRIMARY KEY (build, event_id, what),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);

CREATE TABLE billing.postings (
    build int NOT NULL,
    event_id uuid NOT NULL,
    line int NOT NULL,
    case_id uuid NOT NULL,
    ledger text NOT NULL CHECK (ledger IN ('receivable', 'income', 'cash')),
    movement text NOT NULL,
    reference text NOT NULL,
    fee text NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen <> 0),
    PRIMARY KEY (build, event_id, line),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);
CREATE INDEX postings_case ON billing.postings (build, case_id);

-- No transaction leaves an event whose postings do not sum to nothing.
CREATE FUNCTION billing.require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched record;
    found bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
    SELECT sum(amount_fen) INTO found FROM billing.postings
    WHERE build = touched.build AND event_id = touched.event_id;
    IF coalesce(found, 0) <> 0 THEN
        RAISE EXCEPTION 'the postings of event % sum to % fen', touched.event_id, found USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT OR UPDATE OR DELETE ON billing.postings
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing.require_balance();

CREATE TABLE billing.accounts (
    build int NOT NULL,
    account_number bigint NOT NULL,
    case_id uuid NOT NULL,
    point int NOT NULL,
    subject_id uuid NOT NULL,
    subject_revision int NOT NULL,
    meter_number text NOT NULL,
    meter_body_code text NOT NULL,
    meter_dn_mm int NOT NULL,
    verified_on date,
    expires_on date,
    initial_reading_m3 numeric(14, 3) NOT NULL,
    dial_max_m3 bigint,
    contract text,
    address_code text,
    usage_split jsonb NOT NULL DEFAULT '{}',
    household_size int,
    price_version text,
    water_on_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (build, account_number),
    UNIQUE (build, case_id, point),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);
CREATE INDEX accounts_meter ON billing.accounts (build, meter_number);
CREATE TABLE billing.meter_changes (
    build int NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point int NOT NULL,
    old_meter text NOT NULL,
    final_reading_m3 numeric(14, 3) NOT NULL,
    new_meter text NOT NULL,
    initial_reading_m3 numeric(14, 3) NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (build, event_id),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);
CREATE INDEX meter_changes_point ON billing.meter_changes (build, case_id, point);

-- A hold and its release may be read in any order; readings are those that a second person accepted.
CREATE TABLE billing.holds (
    build int NOT NULL,
    case_id uuid NOT NULL,
    hold int NOT NULL,
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    connection uuid,
    point int,
    held_at timestamptz,
    released_at timestamptz,
    cause text,
    PRIMARY KEY (build, case_id, hold)
);
CREATE INDEX holds_standing ON billing.holds (build, meter, read_at) WHERE released_at IS NULL;
CREATE TABLE billing.readings (
    build int NOT NULL,
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    used_litres bigint,
    signs text[] NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (build, meter, read_at),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);

-- Books against store, day by day; what differs is a case with a number until somebody settles it.
CREATE TABLE billing.reconciliations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    build int NOT NULL,
    items bigint NOT NULL,
    groups jsonb NOT NULL,
    differences int NOT NULL
);
CREATE TABLE billing.differences (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    fee text NOT NULL,
    item text NOT NULL,
    what text NOT NULL CHECK (what IN ('missing', 'unknown', 'doubled', 'other')),
    store_says text,
    books_say text,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone_at timestamptz,
    resolved_at timestamptz,
    resolved_by text,
    resolution text,
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL) AND (resolved_at IS NULL) = (resolution IS NULL))
);
CREATE UNIQUE INDEX differences_open ON billing.differences (kind, fee, item, what) WHERE resolved_at IS NULL;
