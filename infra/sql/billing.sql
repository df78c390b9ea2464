-- The billing consumer's books. Every query is about one build.

-- name: billing_live
SELECT build FROM billing.builds WHERE state = 'live'

-- name: billing_lock_build
SELECT state FROM billing.builds WHERE build = %(build)s FOR UPDATE

-- name: billing_known_events
SELECT event_id FROM billing.inbox WHERE build = %(build)s AND event_id = ANY(%(ids)s::uuid[])

-- name: billing_known_keys
SELECT natural_key FROM billing.inbox
WHERE build = %(build)s AND outcome = 'booked' AND natural_key = ANY(%(keys)s::text[])

-- name: billing_cases
SELECT case_id, case_number, category, payer_class, desk, owner, catalogue, quote, quote_lines, stopped
FROM billing.cases WHERE build = %(build)s AND case_id = ANY(%(ids)s::uuid[])

-- name: billing_money
SELECT case_id, kind, number, lines, reversed
FROM billing.money WHERE build = %(build)s AND case_id = ANY(%(ids)s::uuid[])

-- name: billing_save_inbox
INSERT INTO billing.inbox
    (build, event_id, natural_key, type, case_id, position, topic, partition, happened_at, outcome, note)
SELECT %(build)s, event_id, natural_key, type, case_id, position, topic, partition, happened_at, outcome, note
FROM jsonb_populate_recordset(NULL::billing.inbox, %(rows)s)

-- name: billing_save_cases
INSERT INTO billing.cases
    (build, case_id, case_number, category, payer_class, desk, owner, catalogue, quote, quote_lines, stopped)
SELECT %(build)s, case_id, case_number, category, payer_class, desk, owner, catalogue, quote, quote_lines, stopped
FROM jsonb_populate_recordset(NULL::billing.cases, %(rows)s)
ORDER BY case_id
ON CONFLICT (build, case_id) DO UPDATE
SET case_number = excluded.case_number, category = excluded.category, payer_class = excluded.payer_class,
    desk = excluded.desk, owner = excluded.owner, catalogue = excluded.catalogue, quote = excluded.quote,
    quote_lines = excluded.quote_lines, stopped = excluded.stopped

-- name: billing_save_money
INSERT INTO billing.money (build, case_id, kind, number, lines, reversed)
SELECT %(build)s, case_id, kind, number, lines, reversed
FROM jsonb_populate_recordset(NULL::billing.money, %(rows)s)
ORDER BY case_id, kind, number
ON CONFLICT (build, case_id, kind, number) DO UPDATE SET reversed = excluded.reversed

-- name: billing_save_changes
INSERT INTO billing.changes (build, event_id, what, old, new)
SELECT %(build)s, event_id, what, old, new FROM jsonb_populate_recordset(NULL::billing.changes, %(rows)s)

-- name: billing_save_postings
INSERT INTO billing.postings (build, event_id, line, case_id, ledger, movement, reference, fee, amount_fen)
SELECT %(build)s, event_id, line, case_id, ledger, movement, reference, fee, amount_fen
FROM jsonb_populate_recordset(NULL::billing.postings, %(rows)s)

-- name: billing_number_accounts
-- By the event's place in the log: whoever reads the topics anew gives the same number, even with nothing else left.
INSERT INTO billing.numbers (case_id, point, account_number)
SELECT case_id, point, 10000000 + position
FROM jsonb_to_recordset(%(rows)s) AS opened (case_id uuid, point int, position bigint)
ORDER BY case_id, point
ON CONFLICT (case_id, point) DO NOTHING

-- name: billing_save_accounts
INSERT INTO billing.accounts
    (build, account_number, case_id, point, subject_id, subject_revision, meter_number, meter_body_code, meter_dn_mm,
     verified_on, expires_on, initial_reading_m3, dial_max_m3, contract, address_code, usage_split, household_size,
     price_version, water_on_at, event_id)
SELECT %(build)s, numbers.account_number, case_id, point, subject_id, subject_revision, meter_number, meter_body_code,
       meter_dn_mm, verified_on, expires_on, initial_reading_m3, dial_max_m3, contract, address_code, usage_split,
       household_size, price_version, water_on_at, event_id
FROM jsonb_populate_recordset(NULL::billing.accounts, %(rows)s) AS opened
JOIN billing.numbers AS numbers USING (case_id, point)

-- name: billing_save_meters
INSERT INTO billing.meter_changes
    (build, event_id, case_id, point, old_meter, final_reading_m3, new_meter, initial_reading_m3, changed_at)
SELECT %(build)s, event_id, case_id, point, old_meter, final_reading_m3, new_meter, initial_reading_m3, changed_at
FROM jsonb_populate_recordset(NULL::billing.meter_changes, %(rows)s)

-- name: billing_save_classes
INSERT INTO billing.classes
    (build, event_id, case_id, point, change, usage_split, household_size, price_version, valid_from, reading_m3)
SELECT %(build)s, event_id, case_id, point, change, usage_split, household_size, price_version, valid_from, reading_m3
FROM jsonb_populate_recordset(NULL::billing.classes, %(rows)s)

-- name: billing_save_customers
INSERT INTO billing.customers
    (build, event_id, case_id, point, change, subject_id, subject_revision, contract, valid_from, reading_m3)
SELECT %(build)s, event_id, case_id, point, change, subject_id, subject_revision, contract, valid_from, reading_m3
FROM jsonb_populate_recordset(NULL::billing.customers, %(rows)s)

-- name: billing_save_readings
INSERT INTO billing.readings (build, meter, read_at, litres, used_litres, signs, event_id)
SELECT %(build)s, meter, read_at, litres, used_litres, signs, event_id
FROM jsonb_populate_recordset(NULL::billing.readings, %(rows)s)

-- name: billing_save_hold
INSERT INTO billing.holds AS known
    (build, case_id, hold, meter, read_at, litres, connection, point, held_at, released_at, cause)
SELECT %(build)s, case_id, hold, meter, read_at, litres, connection, point, held_at, released_at, cause
FROM jsonb_populate_record(NULL::billing.holds, %(row)s)
ON CONFLICT (build, case_id, hold) DO UPDATE
SET held_at = coalesce(known.held_at, excluded.held_at), released_at = coalesce(known.released_at, excluded.released_at),
    cause = coalesce(known.cause, excluded.cause)

-- name: billing_forget_case
-- What one case came to: the inbox takes its postings, accounts, changes, meters and readings with it.
WITH money AS (DELETE FROM billing.money WHERE build = %(build)s AND case_id = %(case_id)s),
     cases AS (DELETE FROM billing.cases WHERE build = %(build)s AND case_id = %(case_id)s),
     holds AS (DELETE FROM billing.holds WHERE build = %(build)s AND case_id = %(case_id)s)
DELETE FROM billing.inbox WHERE build = %(build)s AND case_id = %(case_id)s

-- name: billing_supply_points
SELECT case_id, point FROM billing.accounts JOIN billing.builds USING (build) WHERE state = 'live'

-- name: billing_begin_build
INSERT INTO billing.builds (build, state)
SELECT greatest(max(build), (SELECT max(build) FROM billing.places)) + 1, 'making' FROM billing.builds
RETURNING build

-- name: billing_going_builds
SELECT build FROM billing.builds WHERE state = 'making'

-- name: billing_make_live
UPDATE billing.builds SET state = 'live', live_at = clock_timestamp() WHERE build = %(build)s

-- name: billing_drop_build
DELETE FROM billing.builds WHERE build = %(build)s

-- name: billing_forget_build
WITH money AS (DELETE FROM billing.money WHERE build = %(build)s),
     cases AS (DELETE FROM billing.cases WHERE build = %(build)s),
     holds AS (DELETE FROM billing.holds WHERE build = %(build)s),
     places AS (DELETE FROM billing.places WHERE build = %(build)s)
DELETE FROM billing.inbox WHERE build = %(build)s

-- name: billing_digest
-- A sum over rows does not depend on their order, and needs no more memory than one row.
WITH lines (part, line) AS (
    SELECT 'inbox', jsonb_build_array(natural_key, type, outcome, note, happened_at)::text
    FROM billing.inbox WHERE build = %(build)s
    UNION ALL
    SELECT 'cases', jsonb_build_array(case_id, case_number, category, payer_class, desk, owner, catalogue, quote,
                                      quote_lines, stopped)::text
    FROM billing.cases WHERE build = %(build)s
    UNION ALL
    SELECT 'money', jsonb_build_array(case_id, kind, number, lines, reversed)::text
    FROM billing.money WHERE build = %(build)s
    UNION ALL
    SELECT 'changes', jsonb_build_array(event_id, what, old, new)::text
    FROM billing.changes WHERE build = %(build)s
    UNION ALL
    SELECT 'postings', jsonb_build_array(event_id, line, case_id, ledger, movement, reference, fee, amount_fen)::text
    FROM billing.postings WHERE build = %(build)s
    UNION ALL
    SELECT 'accounts', jsonb_build_array(account_number, case_id, point, subject_id, subject_revision, meter_number,
                                         meter_body_code, meter_dn_mm, verified_on, expires_on, initial_reading_m3,
                                         dial_max_m3, contract, address_code, usage_split, household_size,
                                         price_version, water_on_at, event_id)::text
    FROM billing.accounts WHERE build = %(build)s
    UNION ALL
    SELECT 'meters', jsonb_build_array(event_id, case_id, point, old_meter, final_reading_m3, new_meter,
                                       initial_reading_m3, changed_at)::text
    FROM billing.meter_changes WHERE build = %(build)s
    UNION ALL
    SELECT 'classes', jsonb_build_array(event_id, case_id, point, change, usage_split, household_size, price_version,
                                        valid_from, reading_m3)::text
    FROM billing.classes WHERE build = %(build)s
    UNION ALL
    SELECT 'customers', jsonb_build_array(event_id, case_id, point, change, subject_id, subject_revision, contract,
                                          valid_from, reading_m3)::text
    FROM billing.customers WHERE build = %(build)s
    UNION ALL
    SELECT 'holds', jsonb_build_array(case_id, hold, meter, read_at, litres, connection, point, held_at, released_at,
                                      cause)::text
    FROM billing.holds WHERE build = %(build)s
    UNION ALL
    SELECT 'readings', jsonb_build_array(meter, read_at, litres)::text
    FROM billing.readings WHERE build = %(build)s
)
SELECT part, count(*) AS rows,
       sum(('x' || left(encode(sha256(convert_to(line, 'UTF8')), 'hex'), 15))::bit(60)::bigint)::text AS sum
FROM lines
GROUP BY part
ORDER BY part

-- name: billing_postings_all
SELECT movement, reference, fee, ledger, amount_fen, case_id FROM billing.postings WHERE build = %(build)s

-- name: billing_claims_all
SELECT case_id, fee, -sum(amount_fen) AS amount_fen
FROM billing.postings WHERE build = %(build)s AND ledger = 'income'
GROUP BY case_id, fee HAVING sum(amount_fen) <> 0

-- name: billing_accounts_all
SELECT case_id, point, meter_number, initial_reading_m3 FROM billing.accounts WHERE build = %(build)s

-- name: billing_meters_all
SELECT case_id, point, old_meter, new_meter, final_reading_m3, initial_reading_m3
FROM billing.meter_changes WHERE build = %(build)s

-- name: billing_classes_all
SELECT case_id, point, change, usage_split, household_size, valid_from, reading_m3
FROM billing.classes WHERE build = %(build)s

-- name: billing_customers_all
SELECT case_id, point, change, subject_id, subject_revision, contract, valid_from, reading_m3
FROM billing.customers WHERE build = %(build)s

-- name: billing_holds_all
SELECT case_id, hold, meter, litres, held_at, released_at, cause FROM billing.holds WHERE build = %(build)s

-- name: billing_readings_all
SELECT meter, read_at, litres FROM billing.readings WHERE build = %(build)s

-- name: billing_events
SELECT notification_id AS position, originator_id AS case_id, topic AS type, state
FROM store.stored_events
WHERE notification_id > %(after)s AND topic = ANY(%(types)s::text[])
ORDER BY notification_id
LIMIT %(most)s

-- name: billing_save_reconciliation
INSERT INTO billing.reconciliations (build, items, groups, differences)
VALUES (%(build)s, %(items)s, %(groups)s, %(differences)s)

-- name: billing_save_differences
INSERT INTO billing.differences AS known (kind, fee, item, what, store_says, books_say)
SELECT kind, fee, item, what, store_says, books_say
FROM jsonb_populate_recordset(NULL::billing.differences, %(rows)s)
ON CONFLICT (kind, fee, item, what) WHERE resolved_at IS NULL DO UPDATE
SET seen_at = clock_timestamp(), gone_at = NULL, store_says = excluded.store_says, books_say = excluded.books_say

-- name: billing_gone_differences
UPDATE billing.differences SET gone_at = clock_timestamp()
WHERE resolved_at IS NULL AND gone_at IS NULL AND seen_at < %(since)s

-- name: billing_differences
SELECT number, kind, fee, item, what, store_says, books_say, found_at, seen_at, gone_at, resolved_at, resolved_by,
       resolution
FROM billing.differences
WHERE %(every)s OR resolved_at IS NULL
ORDER BY number DESC
LIMIT %(most)s

-- name: billing_resolve_difference
UPDATE billing.differences
SET resolved_at = clock_timestamp(), resolved_by = %(by)s, resolution = %(reason)s
WHERE number = %(number)s AND resolved_at IS NULL
RETURNING number

-- name: billing_last_reconciliation
SELECT at, build, items, differences, greatest(0, extract(epoch FROM clock_timestamp() - at)::float8) AS age_s
FROM billing.reconciliations ORDER BY id DESC LIMIT 1

-- name: billing_lock_reconciliation
SELECT pg_try_advisory_xact_lock(225000027)

-- name: billing_lock_rebuild
SELECT pg_try_advisory_lock(225000028)

-- name: billing_now
SELECT clock_timestamp() AS now

-- name: billing_counts
SELECT (SELECT count(*) FROM billing.accounts WHERE build = %(build)s) AS accounts,
       (SELECT count(*) FROM billing.cases WHERE build = %(build)s) AS cases,
       (SELECT count(*) FROM billing.inbox WHERE build = %(build)s AND outcome = 'booked') AS booked,
       (SELECT count(*) FROM billing.inbox WHERE build = %(build)s AND outcome = 'duplicate') AS duplicates,
       (SELECT count(*) FROM billing.inbox WHERE build = %(build)s AND outcome = 'odd') AS odd,
       (SELECT count(*) FROM billing.holds
        WHERE build = %(build)s AND held_at IS NOT NULL AND released_at IS NULL) AS held,
       (SELECT count(*) FROM billing.readings WHERE build = %(build)s) AS readings,
       (SELECT coalesce(sum(amount_fen), 0) FROM billing.postings WHERE build = %(build)s)::bigint AS balance_fen

-- name: billing_ledgers
SELECT ledger, fee, count(*) AS postings, sum(amount_fen)::bigint AS amount_fen
FROM billing.postings WHERE build = %(build)s GROUP BY ledger, fee ORDER BY ledger, fee

-- name: billing_odd
SELECT position, type, case_id, outcome, note FROM billing.inbox
WHERE build = %(build)s AND outcome <> 'booked' ORDER BY position DESC LIMIT %(most)s

-- name: billing_read_positions
SELECT topic, partition, position, record_offset FROM billing.places
WHERE reader = 'billing' AND build = %(build)s ORDER BY topic, partition

-- name: billing_accounts
SELECT account.account_number, account.case_id, account.point, account.water_on_at, customer.contract,
       class.price_version, class.usage_split, class.valid_from AS class_from, customer.valid_from AS customer_from,
       cases.case_number, cases.payer_class, cases.owner,
       coalesce(meter.new_meter, account.meter_number) AS meter,
       (SELECT coalesce(sum(amount_fen), 0) FROM billing.postings AS posting
        WHERE posting.build = account.build AND posting.case_id = account.case_id
          AND ledger = 'receivable')::bigint AS receivable_fen,
       (SELECT count(*) FROM billing.holds AS hold
        WHERE hold.build = account.build AND hold.connection = account.case_id AND hold.point = account.point
          AND held_at IS NOT NULL AND released_at IS NULL) AS held
FROM billing.accounts AS account
LEFT JOIN billing.cases AS cases USING (build, case_id)
-- For each account by itself (LIMIT keeps it so): the view over all accounts would be figured out first otherwise.
CROSS JOIN LATERAL (
    SELECT price_version, usage_split, valid_from FROM billing.terms AS term
    WHERE term.build = account.build AND term.case_id = account.case_id AND term.point = account.point
      AND what = 'class'
    ORDER BY valid_from DESC LIMIT 1
) AS class
CROSS JOIN LATERAL (
    SELECT contract, valid_from FROM billing.terms AS term
    WHERE term.build = account.build AND term.case_id = account.case_id AND term.point = account.point
      AND what = 'customer'
    ORDER BY valid_from DESC LIMIT 1
) AS customer
LEFT JOIN LATERAL (
    SELECT new_meter FROM billing.meter_changes AS change JOIN billing.inbox USING (build, event_id)
    WHERE change.build = account.build AND change.case_id = account.case_id AND change.point = account.point
    ORDER BY position DESC LIMIT 1
) AS meter ON true
WHERE account.build = %(build)s AND (%(account)s::bigint IS NULL OR account.account_number = %(account)s)
ORDER BY account.account_number DESC
LIMIT %(most)s

-- name: billing_find_case
SELECT case_id FROM billing.cases WHERE build = %(build)s AND (case_id::text = %(case)s OR case_number = %(case)s)
UNION
SELECT case_id FROM billing.accounts WHERE build = %(build)s AND account_number::text = %(case)s

-- name: billing_ledger
SELECT inbox.position, inbox.happened_at, posting.event_id, movement, reference, ledger, fee, amount_fen
FROM billing.postings AS posting JOIN billing.inbox AS inbox USING (build, event_id)
WHERE build = %(build)s AND posting.case_id = %(case_id)s
ORDER BY inbox.position, posting.line

-- name: billing_case_changes
SELECT inbox.position, inbox.happened_at, what, old, new
FROM billing.changes JOIN billing.inbox AS inbox USING (build, event_id)
WHERE build = %(build)s AND inbox.case_id = %(case_id)s
ORDER BY inbox.position, what

-- name: billing_terms
SELECT point, what, valid_from, valid_until, usage_split, household_size, price_version, subject_id, subject_revision,
       contract
FROM billing.terms WHERE build = %(build)s AND case_id = %(case_id)s
ORDER BY point, what, valid_from

-- name: billing_use
-- What there is to bill: from the last accepted reading, or the dial when the meter came in, to this one. A meter that
-- was taken out and came in again counts from when it last came in. A dial that was read when class or customer changed
-- ends a stretch too. A stretch is of the class and the customer that were in force when it began: what was told for a
-- day in the middle of one, without a reading, counts from the next stretch on.
WITH account AS (
    SELECT build, case_id, point FROM billing.accounts WHERE build = %(build)s AND account_number = %(account)s
), meters AS (
    SELECT account_number, meter_number AS meter, water_on_at AS since, initial_reading_m3 * 1000 AS first
    FROM billing.accounts WHERE build = %(build)s
    UNION ALL
    SELECT account_number, new_meter, changed_at, change.initial_reading_m3 * 1000
    FROM billing.meter_changes AS change JOIN billing.accounts USING (build, case_id, point)
    WHERE build = %(build)s
), mine AS (
    SELECT DISTINCT meter FROM meters WHERE account_number = %(account)s
), handed_over AS (
    SELECT DISTINCT ON (valid_from) valid_from, reading_m3
    FROM (
        SELECT valid_from, reading_m3, change FROM billing.classes JOIN account USING (build, case_id, point)
        UNION ALL
        SELECT valid_from, reading_m3, change FROM billing.customers JOIN account USING (build, case_id, point)
    ) AS told
    WHERE reading_m3 IS NOT NULL
    ORDER BY valid_from, change DESC
), dials AS (
    SELECT meter, read_at, litres, used_litres, signs, 'accepted' AS dial
    FROM billing.readings WHERE build = %(build)s AND meter IN (SELECT meter FROM mine)
    UNION ALL
    SELECT old_meter, changed_at, final_reading_m3 * 1000, NULL, '{}', 'final'
    FROM billing.meter_changes WHERE build = %(build)s AND old_meter IN (SELECT meter FROM mine)
    UNION ALL
    SELECT served.meter, valid_from, reading_m3 * 1000, NULL, '{}', 'handed-over'
    FROM handed_over
    JOIN LATERAL (
        SELECT meter FROM meters WHERE account_number = %(account)s AND since <= valid_from ORDER BY since DESC LIMIT 1
    ) AS served ON true
), stretches AS (
    SELECT dials.meter, dials.dial, dials.read_at, coalesce(lag(dials.read_at) OVER ends, served.since) AS since,
           dials.litres::bigint AS litres,
           (dials.litres - coalesce(lag(dials.litres) OVER ends, served.first))::bigint AS used,
           dials.used_litres, dials.signs
    FROM dials
    JOIN LATERAL (
        SELECT account_number, since, first FROM meters
        WHERE meters.meter = dials.meter
          AND (since < dials.read_at OR (since = dials.read_at AND dials.dial <> 'final'))
        ORDER BY since DESC LIMIT 1
    ) AS served ON served.account_number = %(account)s
    WINDOW ends AS (PARTITION BY dials.meter, served.since ORDER BY dials.read_at, dials.dial)
)
SELECT stretches.*, class.usage_split, class.household_size, class.price_version, customer.subject_id,
       customer.subject_revision,
       EXISTS (SELECT FROM billing.holds AS hold
               WHERE hold.build = %(build)s AND hold.meter = stretches.meter AND hold.read_at = stretches.read_at
                 AND held_at IS NOT NULL AND released_at IS NULL) AS held
FROM stretches
CROSS JOIN account
CROSS JOIN LATERAL (
    SELECT usage_split, household_size, price_version FROM billing.terms AS term
    WHERE term.build = account.build AND term.case_id = account.case_id AND term.point = account.point
      AND what = 'class' AND valid_from <= since
    ORDER BY valid_from DESC LIMIT 1
) AS class
CROSS JOIN LATERAL (
    SELECT subject_id, subject_revision FROM billing.terms AS term
    WHERE term.build = account.build AND term.case_id = account.case_id AND term.point = account.point
      AND what = 'customer' AND valid_from <= since
    ORDER BY valid_from DESC LIMIT 1
) AS customer
ORDER BY stretches.read_at, stretches.dial
