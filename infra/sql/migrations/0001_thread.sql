-- The store: events, the head of the log, keys of accepted commands.
CREATE SCHEMA store;
CREATE SCHEMA vault;
CREATE SCHEMA views;
CREATE SCHEMA watch;
CREATE SCHEMA billing;

-- Columns as the event-sourcing library names them; notification_id is the position, given under log_head's lock.
CREATE TABLE store.stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX stored_events_position ON store.stored_events (notification_id);
CREATE TYPE store.stored_event_uuid AS (originator_id uuid, originator_version bigint, topic text, state bytea);

CREATE TABLE store.log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    generation uuid NOT NULL
);
INSERT INTO store.log_head (position, recorded_at, generation) VALUES (0, '1970-01-01 00:00:00+00', gen_random_uuid());

CREATE TABLE store.command_keys (
    actor_scope text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    case_id uuid NOT NULL,
    first_version bigint NOT NULL,
    last_version bigint NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (actor_scope, key)
);

CREATE SEQUENCE store.case_numbers;

CREATE TABLE store.clock_anchor (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    real_at timestamptz NOT NULL,
    service_at timestamptz NOT NULL,
    factor double precision NOT NULL CHECK (factor > 0)
);

-- The relay's memory.
CREATE TABLE store.relay_state (
    cluster_id text PRIMARY KEY,
    epoch bigint NOT NULL,
    all_out bigint NOT NULL DEFAULT 0,
    sessions bigint NOT NULL DEFAULT 0,
    tails_lost bigint NOT NULL DEFAULT 0,
    foreign_records bigint NOT NULL DEFAULT 0,
    refills bigint NOT NULL DEFAULT 0,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE store.relay_checkpoint (
    cluster_id text NOT NULL,
    topic_id uuid NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    position bigint NOT NULL,
    record_offset bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (cluster_id, topic_id, partition)
);

CREATE TABLE store.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reader text NOT NULL,
    topic text NOT NULL,
    topic_id uuid NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    position bigint,
    code text NOT NULL,
    reason text NOT NULL,
    size_bytes int NOT NULL,
    sha256 text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    UNIQUE (reader, topic, topic_id, partition, record_offset)
);
CREATE INDEX dead_letters_unpublished ON store.dead_letters (id) WHERE published_at IS NULL;

-- One row for each running process; `status` and /metrics read it.
CREATE TABLE store.process_beats (
    name text NOT NULL,
    pid int NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (name, pid)
);

-- Personal data stay here and nowhere else; events carry (subject_id, revision).
CREATE TABLE vault.subjects (
    subject_id uuid NOT NULL,
    revision int NOT NULL,
    particulars jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject_id, revision)
);

-- How far each reader has read. topic_id is a column, not part of the key: a refilled cluster has new topic ids and the
-- same positions, and what a reader already applied must be dropped there too.
CREATE TABLE views.places (
    reader text NOT NULL,
    build int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    topic_id uuid,
    position bigint NOT NULL DEFAULT 0,
    record_offset bigint NOT NULL DEFAULT -1,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reader, build, topic, partition)
);
CREATE TABLE watch.places (LIKE views.places INCLUDING ALL);
CREATE TABLE billing.places (LIKE views.places INCLUDING ALL);
