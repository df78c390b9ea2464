-- Outages as a kind of case with promises, and the tag of a mass incident. The cases are read anew: their rows say more.
ALTER TABLE views.cases ADD COLUMN mass text;
TRUNCATE views.cases;
DELETE FROM views.places WHERE reader = 'cases';
CREATE INDEX cases_mass ON views.cases (mass) WHERE mass IS NOT NULL;

CREATE TABLE views.outages (
    case_id uuid PRIMARY KEY,
    case_number text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('planned', 'emergency')),
    incident uuid,
    districts text[] NOT NULL,
    affected_users int NOT NULL,
    announced_at timestamptz NOT NULL,
    begin_at timestamptz,
    end_at timestamptz,
    first_notice_at timestamptz,
    notices int NOT NULL,
    proven int NOT NULL,
    failed int NOT NULL,
    reported_at timestamptz,
    started_at timestamptz,
    restored_at timestamptz,
    cancelled_at timestamptz,
    water_litres bigint NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX outages_running ON views.outages (started_at) WHERE restored_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX outages_announced ON views.outages (announced_at);
