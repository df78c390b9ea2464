-- Billing: what became of an account's class of use and customer, each by the event that told it, in force from
-- valid_from on. Of two with one valid_from the higher change counts. contract NULL: the customer's goes on (a new name).
CREATE TABLE billing.classes (
    build int NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point int NOT NULL,
    change int NOT NULL,
    usage_split jsonb NOT NULL,
    household_size int,
    price_version text,
    valid_from timestamptz NOT NULL,
    reading_m3 numeric(14, 3),
    PRIMARY KEY (build, event_id),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);
CREATE INDEX classes_point ON billing.classes (build, case_id, point);
CREATE TABLE billing.customers (
    build int NOT NULL,
    event_id uuid NOT NULL,
    case_id uuid NOT NULL,
    point int NOT NULL,
    change int NOT NULL,
    subject_id uuid NOT NULL,
    subject_revision int NOT NULL,
    contract text,
    valid_from timestamptz NOT NULL,
    reading_m3 numeric(14, 3),
    PRIMARY KEY (build, event_id, point),
    FOREIGN KEY (build, event_id) REFERENCES billing.inbox ON DELETE CASCADE
);
CREATE INDEX customers_point ON billing.customers (build, case_id, point);

-- What an account said from when until when: as it was opened, and as it was changed. A customer's row has no class, a
-- class's row no customer.
CREATE VIEW billing.terms AS
WITH told AS (
    SELECT build, case_id, point, 'class' AS what, water_on_at AS valid_from, 0 AS change, usage_split, household_size,
           price_version, NULL::uuid AS subject_id, NULL::int AS subject_revision, NULL AS contract
    FROM billing.accounts
    UNION ALL
    SELECT build, case_id, point, 'customer', water_on_at, 0, NULL, NULL, NULL, subject_id, subject_revision, contract
    FROM billing.accounts
    UNION ALL
    SELECT build, case_id, point, 'class', valid_from, change, usage_split, household_size, price_version, NULL, NULL,
           NULL
    FROM billing.classes
    UNION ALL
    SELECT build, case_id, point, 'customer', valid_from, change, NULL, NULL, NULL, subject_id, subject_revision,
           contract
    FROM billing.customers
), signed AS (
    SELECT *, count(contract) OVER (PARTITION BY build, case_id, point, what ORDER BY valid_from, change) AS contracts
    FROM told
), under AS (
    SELECT build, case_id, point, what, valid_from, change, usage_split, household_size, price_version, subject_id,
           subject_revision,
           first_value(contract) OVER (PARTITION BY build, case_id, point, what, contracts
                                       ORDER BY contract IS NULL, valid_from, change) AS contract
    FROM signed
), standing AS (
    SELECT DISTINCT ON (build, case_id, point, what, valid_from) *
    FROM under
    ORDER BY build, case_id, point, what, valid_from, change DESC
)
SELECT build, case_id, point, what, valid_from,
       lead(valid_from) OVER (PARTITION BY build, case_id, point, what ORDER BY valid_from) AS valid_until,
       usage_split, household_size, price_version, subject_id, subject_revision, contract
FROM standing;
