-- The outbox: what is to be told, and how it went. A row is worked on by whoever holds its lease.

-- name: outbox_put
INSERT INTO outbox.messages (id, case_id, kind, way, title, text, digest, audience, subject_id)
SELECT id, case_id, kind, way, title, text, digest, audience, subject_id
FROM jsonb_populate_recordset(NULL::outbox.messages, %(rows)s)
ON CONFLICT (id) DO NOTHING

-- name: outbox_take
-- An attempt counts when it begins: a sender that is killed in the middle of one has made it.
WITH due AS (
    SELECT id FROM outbox.messages
    WHERE NOT recorded AND next_attempt_at <= clock_timestamp() AND leased_until < clock_timestamp()
    ORDER BY next_attempt_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox.messages AS taken
SET leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s), lease = gen_random_uuid(),
    attempts = taken.attempts + CASE taken.state WHEN 'waiting' THEN 1 ELSE 0 END
FROM due
WHERE taken.id = due.id
RETURNING taken.id, taken.case_id, taken.kind, taken.way, taken.title, taken.text, taken.digest, taken.audience,
    taken.subject_id, taken.state, taken.round, taken.attempts, taken.lease, taken.last_error, taken.answered_at,
    taken.receipt, taken.status, taken.proof_digest, taken.about

-- name: outbox_sent
UPDATE outbox.messages
SET state = 'sent', answered_at = %(answered_at)s, receipt = %(receipt)s, status = %(status)s,
    proof_digest = %(proof_digest)s, last_error = NULL
WHERE id = %(id)s AND lease = %(lease)s AND state = 'waiting'

-- name: outbox_failed
UPDATE outbox.messages
SET state = CASE WHEN %(dead)s THEN 'dead' ELSE state END, answered_at = %(answered_at)s, last_error = %(error)s,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(pause_s)s), leased_until = '-infinity'
WHERE id = %(id)s AND lease = %(lease)s AND state = 'waiting'

-- name: outbox_recorded
-- A one-time code that was sent, or given up, is not kept in plain.
UPDATE outbox.messages
SET recorded = true, state = CASE state WHEN 'sent' THEN 'proven' ELSE state END, leased_until = '-infinity',
    text = CASE kind WHEN 'phone-code' THEN '' ELSE text END, digest = CASE kind WHEN 'phone-code' THEN '' ELSE digest END
WHERE id = %(id)s AND lease = %(lease)s

-- name: outbox_record_later
UPDATE outbox.messages
SET last_error = %(error)s, next_attempt_at = clock_timestamp() + make_interval(secs => %(pause_s)s),
    leased_until = '-infinity'
WHERE id = %(id)s AND lease = %(lease)s

-- name: outbox_states
SELECT state, count(*) AS messages,
       greatest(0, max(extract(epoch FROM clock_timestamp() - created_at)) FILTER (WHERE NOT recorded))::float8 AS oldest_s
FROM outbox.messages
GROUP BY state
ORDER BY state

-- name: outbox_list
SELECT id, case_id, kind, way, state, round, attempts, created_at, next_attempt_at, last_error, receipt, status
FROM outbox.messages
WHERE (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY created_at DESC, id
LIMIT %(limit)s

-- name: outbox_retry
-- Only one that was given up, and whose case knows it: a message is never sent a second time by hand.
UPDATE outbox.messages
SET state = 'waiting', recorded = false, round = round + 1, attempts = 0, next_attempt_at = clock_timestamp()
WHERE state = 'dead' AND recorded AND kind <> 'phone-code' AND (%(id)s::uuid IS NULL OR id = %(id)s)
RETURNING id

-- name: outbox_page
-- What is told on the page: shown from the moment on in which the sender put it up.
SELECT id, case_id, title, text, audience, answered_at AS told_at
FROM outbox.messages
WHERE way = 'page' AND state IN ('sent', 'proven') AND kind = %(kind)s
ORDER BY created_at DESC, id
LIMIT %(limit)s
