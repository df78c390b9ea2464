-- Whether the topics still have what readers rebuild from.

-- The offset at which a partition's chain begins, once it is known: a log that begins behind it has lost its history.
ALTER TABLE store.relay_checkpoint ADD COLUMN head_offset bigint;

-- What the active relay found wrong with the topics when it last looked, and what it put right.
CREATE TABLE store.topic_findings (
    topic text NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    found text NOT NULL,
    needed text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    put_right_at timestamptz,
    PRIMARY KEY (topic, code, name)
);

-- Partitions whose log is to be read whole, by whom and why: a reader misses a record, a setting deleted some.
CREATE TABLE store.relay_walks (
    topic text NOT NULL,
    partition int NOT NULL,
    wanted_by text NOT NULL,
    wanted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    walked_at timestamptz,
    PRIMARY KEY (topic, partition)
);

-- How often the relay put a topic's settings right, and how often it refilled a log whose history was not whole.
ALTER TABLE store.relay_state ADD COLUMN settings_put_right bigint NOT NULL DEFAULT 0;
ALTER TABLE store.relay_state ADD COLUMN histories_refilled bigint NOT NULL DEFAULT 0;
