-- Billing: which readings are held, and which meters measure from when on.
CREATE TABLE billing.holds (
    case_id uuid NOT NULL,
    hold int NOT NULL,
    meter text NOT NULL,
    read_at timestamptz NOT NULL,
    litres bigint NOT NULL,
    connection uuid,
    point int,
    held_at timestamptz,
    released_at timestamptz,
    cause text,
    PRIMARY KEY (case_id, hold)
);
CREATE INDEX holds_standing ON billing.holds (connection, point) WHERE released_at IS NULL;
CREATE TABLE billing.meter_changes (
    event_id uuid PRIMARY KEY REFERENCES billing.inbox (event_id),
    case_id uuid NOT NULL,
    point int NOT NULL,
    old_meter text NOT NULL,
    final_reading_m3 numeric(14, 3) NOT NULL,
    new_meter text NOT NULL,
    initial_reading_m3 numeric(14, 3) NOT NULL,
    changed_at timestamptz NOT NULL
);
