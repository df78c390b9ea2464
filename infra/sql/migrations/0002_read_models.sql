-- Read models. Each row is written by one partition only: its key begins with the case, or with topic and partition.
CREATE TABLE views.cases (
    case_id uuid PRIMARY KEY,
    family text NOT NULL,
    case_number text NOT NULL,
    kind text,
    category text,
    channel text NOT NULL,
    district text,
    zone text,
    crew text,
    severity text,
    stage text NOT NULL,
    open boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    supply_points int NOT NULL,
    points_on int NOT NULL,
    reports int NOT NULL,
    flags int NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX cases_open ON views.cases (opened_at) WHERE open;

CREATE TABLE views.windows (
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    family text NOT NULL,
    number int NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz,
    tentative boolean NOT NULL,
    standard text NOT NULL,
    calendar text,
    state text NOT NULL CHECK (state IN ('running', 'met', 'lapsed', 'cancelled')),
    met_at timestamptz,
    on_time boolean,
    lapses int NOT NULL,
    retracted int NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (case_id, commitment)
);
CREATE INDEX windows_running ON views.windows (due_at) WHERE state = 'running';

CREATE TABLE views.breaches (
    topic text NOT NULL,
    partition int NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    change text NOT NULL,
    family text NOT NULL,
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    due_at timestamptz,
    lapse int,
    rung text,
    notify text[] NOT NULL,
    reason text,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, position)
);
CREATE INDEX breaches_position ON views.breaches (position);
CREATE INDEX breaches_change ON views.breaches (change, position DESC);

-- The window watch's index: when to ask the domain about which case. Only the watch reads it.
CREATE TABLE watch.due (
    case_id uuid NOT NULL,
    commitment text NOT NULL,
    family text NOT NULL,
    number int NOT NULL,
    due_at timestamptz,
    next_ask_at timestamptz,
    case_version bigint NOT NULL,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (case_id, commitment)
);
CREATE INDEX due_next ON watch.due (next_ask_at) WHERE next_ask_at IS NOT NULL;

-- Cases that the watch must ask about though it could not read why.
CREATE TABLE watch.ask_now (
    case_id uuid PRIMARY KEY,
    family text NOT NULL,
    asked_for_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far the sweeper has compared the store with the index.
CREATE TABLE watch.sweep (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL DEFAULT 0,
    missed bigint NOT NULL DEFAULT 0
);
INSERT INTO watch.sweep DEFAULT VALUES;
