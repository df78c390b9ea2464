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
    WHERE next_ask_at <= %(now)s AND leased_until < clock_timestamp()
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

-- name: watch_answer
INSERT INTO watch.due (case_id, commitment, family, number, due_at, next_ask_at, case_version)
SELECT case_id, commitment, family, 0, NULL, next_ask_at, case_version
FROM jsonb_populate_recordset(NULL::watch.due, %(rows)s)
ORDER BY case_id, commitment
ON CONFLICT (case_id, commitment) DO UPDATE
SET next_ask_at = excluded.next_ask_at, case_version = excluded.case_version, leased_until = '-infinity'
WHERE watch.due.case_version <= excluded.case_version

-- name: watch_silence
UPDATE watch.due AS known
SET next_ask_at = NULL, case_version = answer.case_version, leased_until = '-infinity'
FROM jsonb_to_recordset(%(cases)s) AS answer (case_id uuid, case_version bigint, commitments text[])
WHERE known.case_id = answer.case_id
  AND known.case_version <= answer.case_version
  AND NOT known.commitment = ANY(answer.commitments)

-- name: watch_nearest
SELECT next_ask_at FROM watch.due
WHERE next_ask_at > %(now)s ORDER BY next_ask_at LIMIT 1

-- name: watch_leased
SELECT max(leased_until) AS until FROM watch.due WHERE next_ask_at <= %(now)s AND leased_until >= clock_timestamp()

-- name: watch_ask_now
INSERT INTO watch.ask_now (case_id, family)
SELECT DISTINCT ON (case_id) case_id, family
FROM unnest(%(ids)s::uuid[], %(families)s::text[]) AS asked (case_id, family)
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
