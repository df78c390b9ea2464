-- A rebuild of read models under way: which, by which program, how far each of its lanes is, and how far the models are
-- that caught up with their readers since.
CREATE SCHEMA rebuild;

CREATE TABLE rebuild.run (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    models text[] NOT NULL,
    waiting text[] NOT NULL,
    program text NOT NULL,
    generation uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE rebuild.lanes (
    lane int PRIMARY KEY,
    attempt int NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0
);

CREATE TABLE rebuild.places (
    lane int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (lane, topic, partition)
);

CREATE TABLE rebuild.caught_up (
    reader text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    position bigint NOT NULL,
    lanes_at bigint NOT NULL,
    PRIMARY KEY (reader, topic, partition)
);

CREATE TABLE rebuild.refused (
    reader text NOT NULL,
    position bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (reader, position)
);
