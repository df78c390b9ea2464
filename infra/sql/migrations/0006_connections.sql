-- Read models of the connection rulebook. A reader begins a model that has no place at the first event, so the new ones
-- fill themselves, and cases, whose rows say more from now on, is read anew.
ALTER TABLE views.cases
    ADD COLUMN owner text,
    ADD COLUMN reached text NOT NULL DEFAULT '',
    ADD COLUMN quoted_fen bigint NOT NULL DEFAULT 0,
    ADD COLUMN paid_fen bigint NOT NULL DEFAULT 0;
TRUNCATE views.cases;
DELETE FROM views.places WHERE reader = 'cases';

CREATE TABLE views.connections (
    case_id uuid PRIMARY KEY,
    case_number text NOT NULL,
    category text NOT NULL,
    channel text NOT NULL,
    desk text,
    owner text,
    supply_points int NOT NULL,
    points_on int NOT NULL,
    received_at timestamptz NOT NULL,
    notice_at timestamptz,
    admitted_at timestamptz,
    basis text,
    outstanding int NOT NULL,
    promise text NOT NULL CHECK (promise IN ('none', 'made', 'kept', 'broken', 'repaired', 'void')),
    declined boolean NOT NULL,
    appearances int NOT NULL,
    excess_trips int NOT NULL,
    visits_booked int NOT NULL,
    visits_made int NOT NULL,
    on_site_approval boolean NOT NULL,
    paused_minutes int,
    last_on_at timestamptz,
    water_on_at timestamptz,
    gross_minutes int,
    net_minutes int,
    on_time boolean,
    lapses int NOT NULL,
    stopped text,
    quoted_fen bigint NOT NULL,
    paid_fen bigint NOT NULL,
    refunded_fen bigint NOT NULL,
    charges_refused int NOT NULL,
    further_requests_refused int NOT NULL,
    deliverables int NOT NULL,
    position bigint NOT NULL,
    pauses jsonb NOT NULL,
    halts jsonb NOT NULL,
    moved jsonb NOT NULL
);
CREATE INDEX connections_received ON views.connections (received_at);
CREATE INDEX connections_open ON views.connections (received_at) WHERE water_on_at IS NULL;

-- Every charge, for the price authority and the market regulator. Amounts are fen.
CREATE TABLE views.charges (
    case_id uuid NOT NULL,
    version bigint NOT NULL,
    line int NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('quoted', 'paid', 'payment-reversed', 'refunded', 'refund-reversed', 'refused')),
    number text,
    fee text,
    quantity text,
    amount_fen bigint,
    catalogue text,
    banned text,
    why text,
    reason text,
    actor text NOT NULL,
    role text NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (case_id, version, line)
);
CREATE INDEX charges_happened ON views.charges (happened_at);
CREATE INDEX charges_position ON views.charges (position);

CREATE TABLE views.visits (
    case_id uuid NOT NULL,
    visit uuid NOT NULL,
    squad text NOT NULL,
    purpose text NOT NULL,
    begin_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('booked', 'made', 'cancelled')),
    made_at timestamptz,
    papers int NOT NULL,
    reassigned int NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (case_id, visit)
);
CREATE INDEX visits_begin ON views.visits (begin_at);

CREATE TABLE views.ahead (
    case_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('consultation', 'preservice')),
    number text NOT NULL,
    topic text NOT NULL,
    category text,
    channel text NOT NULL,
    asked_at timestamptz NOT NULL,
    given_at timestamptz,
    deliverables int NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX ahead_asked ON views.ahead (asked_at);

CREATE TABLE views.works (
    case_id uuid PRIMARY KEY,
    number text NOT NULL,
    kind text NOT NULL,
    community text NOT NULL,
    name_zh text NOT NULL,
    registered_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    households_served int,
    position bigint NOT NULL
);
