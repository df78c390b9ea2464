-- The billing consumer.

-- name: billing_take
INSERT INTO billing.inbox (event_id, position, type)
SELECT * FROM unnest(%(ids)s::uuid[], %(positions)s::bigint[], %(types)s::text[])
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: billing_open
INSERT INTO billing.accounts
    (case_id, point, subject_id, subject_revision, meter_number, meter_body_code, meter_dn_mm, initial_reading_m3,
     water_on_at, event_id)
SELECT case_id, point, subject_id, subject_revision, meter_number, meter_body_code, meter_dn_mm, initial_reading_m3,
       water_on_at, event_id
FROM jsonb_populate_recordset(NULL::billing.accounts, %(accounts)s)
ON CONFLICT (case_id, point) DO NOTHING
RETURNING account_number

-- name: billing_supply_points
SELECT case_id, point FROM billing.accounts

-- name: billing_hold
INSERT INTO billing.holds AS known (case_id, hold, meter, read_at, litres, connection, point, held_at, released_at, cause)
SELECT case_id, hold, meter, read_at, litres, connection, point, held_at, released_at, cause
FROM jsonb_populate_record(NULL::billing.holds, %(hold)s)
ON CONFLICT (case_id, hold) DO UPDATE
SET held_at = coalesce(known.held_at, excluded.held_at), released_at = coalesce(known.released_at, excluded.released_at),
    cause = coalesce(known.cause, excluded.cause)

-- name: billing_change_meters
INSERT INTO billing.meter_changes
SELECT event_id, case_id, point, old_meter, final_reading_m3, new_meter, initial_reading_m3, changed_at
FROM jsonb_populate_recordset(NULL::billing.meter_changes, %(changes)s)
ON CONFLICT DO NOTHING
