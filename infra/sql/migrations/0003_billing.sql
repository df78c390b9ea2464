-- The billing consumer's own books: an inbox of what it took, the accounts it opened.
CREATE TABLE billing.inbox (
    event_id uuid PRIMARY KEY,
    position bigint NOT NULL UNIQUE,
    type text NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE SEQUENCE billing.account_numbers START 800001;
CREATE TABLE billing.accounts (
    account_number bigint PRIMARY KEY DEFAULT nextval('billing.account_numbers'),
    case_id uuid NOT NULL,
    point int NOT NULL,
    subject_id uuid NOT NULL,
    subject_revision int NOT NULL,
    meter_number text NOT NULL,
    meter_body_code text NOT NULL,
    meter_dn_mm int NOT NULL,
    initial_reading_m3 numeric(14, 3) NOT NULL,
    water_on_at timestamptz NOT NULL,
    event_id uuid NOT NULL UNIQUE REFERENCES billing.inbox (event_id),
    UNIQUE (case_id, point)
);
