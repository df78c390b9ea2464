-- The notary's memory: a log for each generation of the store, and its checkpoints, which are rows before they are published.
CREATE SCHEMA notary;

-- Positions that the generation never had, as ranges with both ends included, found when its log began.
CREATE TABLE notary.logs (
    generation uuid PRIMARY KEY,
    without int8range[] NOT NULL,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- leaves: the hashes of the events from index first_leaf on, up to the checkpoint's size.
CREATE TABLE notary.checkpoints (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation uuid NOT NULL REFERENCES notary.logs,
    size bigint NOT NULL,
    position bigint NOT NULL,
    note text NOT NULL,
    first_leaf bigint NOT NULL,
    leaves bytea NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX checkpoints_by_size ON notary.checkpoints (generation, size, number);

-- Why the notary refuses to sign, for who looks at the status; null: it does not.
CREATE TABLE notary.state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    refusal text
);
INSERT INTO notary.state (refusal) VALUES (NULL);
