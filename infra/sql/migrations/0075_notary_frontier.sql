-- The notary's tree at its last checkpoint: with it a start reads only what came since. It counts only where it gives the
-- root that was signed.
CREATE TABLE notary.frontiers (
    generation uuid PRIMARY KEY,
    size bigint NOT NULL,
    peaks bytea NOT NULL,
    last_leaf bytea NOT NULL
);
