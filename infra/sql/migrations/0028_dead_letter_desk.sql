-- What becomes of a dead letter: open; again: its reader is to try it once more; repaired; resolved, for a reason.
ALTER TABLE store.dead_letters
    ADD COLUMN case_id uuid,
    ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'again', 'repaired', 'resolved')),
    ADD COLUMN settled_at timestamptz,
    ADD COLUMN settled_by text,
    ADD COLUMN note text;
CREATE INDEX dead_letters_open ON store.dead_letters (reader, recorded_at) WHERE state IN ('open', 'again');

-- A reader that met too many of them stands still; it goes on when the record that stopped it can be read, or by a person.
CREATE TABLE store.stopped_readers (
    reader text PRIMARY KEY,
    letters int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    position bigint NOT NULL,
    code text NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_at timestamptz,
    released_by text,
    reason text
);
