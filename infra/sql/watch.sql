-- The window watch's index.

-- name: watch_rows
SELECT case_id, commitment, family, number, due_at, next_ask_at, case_version
FROM watch.due WHERE case_id = ANY(%(ids)s::uuid[])

-- name: watch_store
INSERT INTO watch.due (case_id, commitment, family, number, due_at, next_ask_at, case_version)
SELECT case_id, commitment, family, number, due_at, next_ask_at, case_version
FROM jsonb_populate_recordset(NULL::watch.due, %(rows)s)
ORDER BY case_id, commitment
ON CONFLICT (case_id, commitment) DO UPDATE
SET number = excluded.number, due_at = excluded.due_at, next_ask_at = excluded.next_ask_at,
    case_version = excluded.case_version, leased_until = '-infinity'
WHERE watch.due.case_version < excluded.case_version

-- name: watch_take
WITH due AS (
    SELECT case_id, commitment
    FROM watch.due
    WHERE next_ask_at <= %(now)s
      -- A lease that ends later than a lease can is one from before the server's clock was set back.
      AND (leased_until < clock_timestamp() OR leased_until > clock_timestamp() + make_interval(secs => %(lease_s)s))
    ORDER BY next_ask_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
UPDATE watch.due AS taken
SET leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM due
WHERE taken.case_id = due.case_id AND taken.commitment = due.commitment
RETURNING taken.case_id, taken.family, taken.next_ask_at

-- A question stays until it is answered; asked_for_at is when it may be taken, so taking it is a lease.
-- name: watch_take_asked
WITH asked AS (
    SELECT case_id FROM watch.ask_now
    WHERE asked_for_at <= clock_timestamp()
       OR asked_for_at > clock_timestamp() + make_interval(secs => %(lease_s)s)
    ORDER BY asked_for_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
UPDATE watch.ask_now AS taken
SET asked_for_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM asked
WHERE taken.case_id = asked.case_id
RETURNING taken.case_id, taken.family, taken.asked_for_at

-- One that was asked for anew meanwhile has another instant and stays.
-- name: watch_forget_asked
DELETE FROM watch.ask_now AS answered
USING unnest(%(ids)s::uuid[], %(asked_for_at)s::timestamptz[]) AS taken (case_id, asked_for_at)
WHERE answered.case_id = taken.case_id AND answered.asked_for_at = taken.asked_for_at

-- The index's reader writes many rows of many cases too, in this order: whoever takes them in another waits for ever.
-- name: watch_lock
SELECT FROM watch.due WHERE case_id = ANY(%(cases)b::uuid[]) ORDER BY case_id, commitment FOR UPDATE

-- What stays as it is is not written: most answers leave most windows of a case alone. An event up to the answer's
-- version that comes later then costs one more question, and no more.
-- name: watch_answer
WITH answer AS (
    SELECT * FROM unnest(%(cases)b::uuid[], %(commitments)b::text[], %(families)b::text[],
                         %(next)b::timestamptz[], %(versions)b::bigint[])
        AS answer (case_id, commitment, family, next_ask_at, case_version)
), known AS (
    UPDATE watch.due
    SET next_ask_at = answer.next_ask_at, case_version = answer.case_version, leased_until = '-infinity'
    FROM answer
    WHERE due.case_id = answer.case_id AND due.commitment = answer.commitment
      AND due.case_version <= answer.case_version
      AND (due.next_ask_at IS DISTINCT FROM answer.next_ask_at OR due.leased_until > '-infinity')
)
INSERT INTO watch.due (case_id, commitment, family, number, due_at, next_ask_at, case_version)
SELECT case_id, commitment, family, 0, NULL, next_ask_at, case_version FROM answer
WHERE NOT EXISTS (
    SELECT FROM watch.due WHERE due.case_id = answer.case_id AND due.commitment = answer.commitment
)
ON CONFLICT (case_id, commitment) DO NOTHING

-- name: watch_silence
UPDATE watch.due
SET next_ask_at = NULL, case_version = answer.case_version, leased_until = '-infinity'
FROM unnest(%(cases)b::uuid[], %(versions)b::bigint[]) AS answer (case_id, case_version)
WHERE due.case_id = answer.case_id
  AND due.case_version <= answer.case_version
  AND (due.next_ask_at IS NOT NULL OR due.leased_until > '-infinity')
  AND NOT (due.case_id, due.commitment) IN (
      SELECT * FROM unnest(%(told_cases)b::uuid[], %(told_commitments)b::text[])
  )

-- Written by an append, under log_head's lock: a row that somebody else holds is left alone, and the event that comes
-- through the stream asks about it. A fact's version is noted also where the instant stays, so that its event asks nothing.
-- name: watch_schedule
WITH given AS (
    SELECT * FROM unnest(%(cases)b::uuid[], %(commitments)b::text[], %(families)b::text[], %(next)b::timestamptz[],
                         %(versions)b::bigint[], %(told)b::boolean[])
        AS given (case_id, commitment, family, next_ask_at, case_version, told)
), free AS (
    SELECT due.case_id, due.commitment
    FROM watch.due
    JOIN given ON due.case_id = given.case_id AND due.commitment = given.commitment
    WHERE due.case_version < given.case_version
      AND (given.told OR due.next_ask_at IS DISTINCT FROM given.next_ask_at)
    FOR UPDATE OF due SKIP LOCKED
), known AS (
    UPDATE watch.due
    SET next_ask_at = given.next_ask_at, case_version = given.case_version, leased_until = '-infinity'
    FROM given
    JOIN free ON free.case_id = given.case_id AND free.commitment = given.commitment
    WHERE due.case_id = given.case_id AND due.commitment = given.commitment
)
INSERT INTO watch.due (case_id, commitment, family, number, due_at, next_ask_at, case_version)
SELECT case_id, commitment, family, 0, NULL, next_ask_at, case_version FROM given
WHERE (told OR next_ask_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM watch.due WHERE due.case_id = given.case_id AND due.commitment = given.commitment)
ON CONFLICT (case_id, commitment) DO NOTHING

-- name: watch_count_asked
UPDATE watch.tally SET asked = asked + %(asked)s

-- name: watch_nearest
SELECT next_ask_at FROM watch.due
WHERE next_ask_at > %(now)s ORDER BY next_ask_at LIMIT 1

-- name: watch_leased
SELECT max(leased_until) AS until FROM watch.due WHERE next_ask_at <= %(now)s AND leased_until >= clock_timestamp()

-- name: watch_try_duty
SELECT pg_try_advisory_lock(%(lock)s) AS won

-- name: watch_call_for_help
NOTIFY tongshui_help

-- Lapses of limits that have still to end, among what was recorded behind a position: their cases are asked anew.
-- name: watch_ask_early
INSERT INTO watch.ask_now (case_id, family)
SELECT DISTINCT originator_id, split_part(topic, '.', 2)
FROM store.stored_events
WHERE notification_id > %(after)s AND topic LIKE 'water.%%.WindowLapsed.%%'
  AND (convert_from(state, 'UTF8')::jsonb->'data'->>'due_at')::timestamptz > %(now)s
ON CONFLICT (case_id) DO UPDATE SET asked_for_at = excluded.asked_for_at
RETURNING case_id

-- name: recorded_at
SELECT (convert_from(state, 'UTF8')::jsonb->>'recordedat')::timestamptz AS at
FROM store.stored_events WHERE notification_id = %(position)s

-- name: watch_count_open
WITH counted AS (
    SELECT commitment, count(next_ask_at) AS open FROM watch.due GROUP BY commitment
)
INSERT INTO watch.sizes (commitment, open) SELECT commitment, open FROM counted ORDER BY commitment
ON CONFLICT (commitment) DO UPDATE SET open = excluded.open, counted_at = excluded.counted_at

-- name: canary_begins
INSERT INTO watch.canaries (pid, began_at) VALUES (%(pid)s, %(began_at)s) ON CONFLICT DO NOTHING

-- name: canary_heard
UPDATE watch.canaries
SET sung = %(sung)s, heard = %(heard)s, heard_at = CASE WHEN %(now)s THEN clock_timestamp() ELSE heard_at END,
    lateness_ms = coalesce(%(lateness_ms)s, lateness_ms)
WHERE pid = %(pid)s AND began_at = %(began_at)s

-- name: forget_canaries
DELETE FROM watch.canaries WHERE coalesce(heard_at, seen_at) < clock_timestamp() - interval '1 day'

-- name: watch_ask_now
INSERT INTO watch.ask_now (case_id, family)
SELECT DISTINCT ON (case_id) case_id, family
FROM unnest(%(ids)b::uuid[], %(families)b::text[]) AS asked (case_id, family)
ON CONFLICT (case_id) DO UPDATE SET asked_for_at = excluded.asked_for_at

-- name: sweep_place
SELECT position, missed FROM watch.sweep

-- name: sweep_move
UPDATE watch.sweep SET position = greatest(position, %(position)s), missed = missed + %(missed)s

-- name: sweep_cases
SELECT DISTINCT originator_id AS case_id, split_part(topic, '.', 2) AS family, max(notification_id) AS position
FROM store.stored_events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s AND topic LIKE 'water.%%.Window%%'
GROUP BY 1, 2
