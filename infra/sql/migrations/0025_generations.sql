-- Generations that the store began, each because Kafka had events that this store was not to have again. The topics are made
-- anew after that; until then topics_renewed_at is empty, and the command that began it finishes it when run again.
CREATE TABLE store.generations (
    generation uuid PRIMARY KEY,
    forked_behind bigint NOT NULL,
    begins_behind bigint NOT NULL,
    given_up bigint NOT NULL,
    list_sha256 text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    topics_renewed_at timestamptz
);
