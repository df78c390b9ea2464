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
