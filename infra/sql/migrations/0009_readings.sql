-- Meter readings: their own log, by month; what is known of each meter; what is out of the ordinary. Volumes are litres.
CREATE SCHEMA readings;

CREATE TABLE readings.readings (
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL CHECK (litres >= 0),
    PRIMARY KEY (meter, read_at)
) PARTITION BY RANGE (read_at);

CREATE TABLE readings.meters (
    meter text PRIMARY KEY,
    initial_litres bigint NOT NULL,
    dial_max_m3 int NOT NULL
);

-- What the next reading of a meter is judged by.
CREATE TABLE readings.histories (
    meter text PRIMARY KEY,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    recent bigint[] NOT NULL,
    flowing_since timestamptz
) WITH (fillfactor = 70);

CREATE TABLE readings.anomalies (
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    used_litres bigint,
    flags text[] NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (meter, read_at)
);
CREATE INDEX anomalies_found ON readings.anomalies (found_at);

-- Readings that could not be judged: kept, and taken in as soon as the meter is known.
CREATE TABLE readings.set_aside (
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    reason text NOT NULL CHECK (reason IN ('unknown-meter', 'contradicts')),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (meter, read_at, litres)
);

-- How far the topic of readings is read; it has no positions, so the offset itself is the place.
CREATE TABLE readings.offsets (
    topic text NOT NULL,
    partition int NOT NULL,
    topic_id uuid NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
CREATE TABLE readings.places (LIKE views.places INCLUDING ALL);
