-- Records on the case topics that look like the relay's and are not: found by the relay, or named by a person.
CREATE TABLE store.disowned_records (
    topic_id uuid NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    position bigint NOT NULL,
    disowned_by text NOT NULL,
    reason text NOT NULL,
    disowned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_id, partition, record_offset)
);
