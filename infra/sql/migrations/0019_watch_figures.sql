-- How late the lapses that the window watch found were on record: real seconds, counted in buckets up to le.
CREATE TABLE watch.lateness (
    le double precision PRIMARY KEY,
    lapses bigint NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- What the watches have asked, and the windows that run, as they were counted last.
CREATE TABLE watch.tally (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    asked bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO watch.tally DEFAULT VALUES;

CREATE TABLE watch.sizes (
    commitment text PRIMARY KEY,
    open bigint NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The canaries of the watches: a row for each process. Real time throughout.
CREATE TABLE watch.canaries (
    pid int NOT NULL,
    began_at timestamptz NOT NULL,
    sung bigint NOT NULL DEFAULT 0,
    heard bigint NOT NULL DEFAULT 0,
    heard_at timestamptz,
    lateness_ms double precision,
    PRIMARY KEY (pid, began_at)
);

-- A lease changes no index: with room on the page it is written beside the row, and no index hears of it.
ALTER TABLE watch.due SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
