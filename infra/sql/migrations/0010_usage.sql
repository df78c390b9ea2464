-- What stands out gets a case of its own. ``revision`` counts what was found out about it, ``told`` how much of that its
-- case was told; a reading that does not stand out any more stays as a row, so that its case is told that too.
ALTER TABLE readings.anomalies
    ADD COLUMN standing boolean NOT NULL DEFAULT true,
    ADD COLUMN revision int NOT NULL DEFAULT 1,
    ADD COLUMN told int NOT NULL DEFAULT 0;
CREATE INDEX anomalies_untold ON readings.anomalies (found_at) WHERE told < revision;

CREATE TABLE views.usage (
    case_id uuid PRIMARY KEY,
    case_number text NOT NULL,
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    used_litres bigint,
    signs text[] NOT NULL,
    connection uuid,
    point int,
    found_at timestamptz NOT NULL,
    revision int NOT NULL,
    standing boolean NOT NULL,
    held boolean NOT NULL,
    confirmed_at timestamptz,
    dismissed_at timestamptz,
    notified_at timestamptz,
    notified_by text,
    offered_at timestamptz,
    help_started_at timestamptz,
    help_finished_at timestamptz,
    finding text,
    outcome text,
    open boolean NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX usage_open ON views.usage (found_at) WHERE open;
CREATE INDEX usage_meter ON views.usage (meter, read_at);
