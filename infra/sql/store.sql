-- name: limit_append
-- For the transaction: an append neither waits nor keeps others waiting for long.
SELECT set_config('lock_timeout', '5s', true), set_config('statement_timeout', '10s', true),
       set_config('idle_in_transaction_session_timeout', '5s', true)

-- name: lock_head
SELECT position, recorded_at, generation, rules_position FROM store.log_head FOR UPDATE

-- name: move_head
UPDATE store.log_head SET position = %(position)s, recorded_at = %(recorded_at)s

-- name: move_rules
UPDATE store.log_head SET rules_position = %(position)s

-- name: announce
SELECT pg_notify('tongshui_log', %(position)s::text)

-- name: taken_versions
SELECT e.originator_id, e.originator_version
FROM store.stored_events e
JOIN unnest(%(ids)b::uuid[], %(versions)b::bigint[]) AS wanted (id, version)
  ON e.originator_id = wanted.id AND e.originator_version = wanted.version

-- name: command_keys
SELECT k.*
FROM store.command_keys k
JOIN unnest(%(scopes)b::text[], %(keys)b::text[]) AS wanted (scope, key)
  ON k.actor_scope = wanted.scope AND k.key = wanted.key

-- name: insert_events
INSERT INTO store.stored_events (originator_id, originator_version, topic, state, notification_id)
SELECT * FROM unnest(%(ids)b::uuid[], %(versions)b::bigint[], %(types)b::text[], %(states)b::bytea[], %(positions)b::bigint[])

-- name: insert_keys
INSERT INTO store.command_keys
    (actor_scope, key, digest, case_id, first_version, last_version, position, refusal, recorded_at)
SELECT *, %(recorded_at)s::timestamptz
FROM unnest(%(scopes)b::text[], %(keys)b::text[], %(digests)b::bytea[], %(case_ids)b::uuid[],
            %(firsts)b::bigint[], %(lasts)b::bigint[], %(positions)b::bigint[], %(refusals)s::jsonb[])

-- name: purge_keys
DELETE FROM store.command_keys
WHERE (actor_scope, key) IN (
    SELECT actor_scope, key FROM store.command_keys
    WHERE recorded_at < %(before)s
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)

-- name: count_lateness
-- Under log_head's lock, so no two appends meet here.
INSERT INTO watch.lateness (le, lapses, seconds)
SELECT * FROM unnest(%(le)s::float8[], %(lapses)s::bigint[], %(seconds)s::float8[])
ON CONFLICT (le) DO UPDATE
SET lapses = watch.lateness.lapses + excluded.lapses, seconds = watch.lateness.seconds + excluded.seconds

-- name: events_of
SELECT originator_id, originator_version, topic, state
FROM store.stored_events
WHERE originator_id = ANY(%(ids)b::uuid[])
ORDER BY originator_id, originator_version

-- name: first_types
SELECT originator_id, topic FROM store.stored_events
WHERE originator_id = ANY(%(ids)s::uuid[]) AND originator_version = 1

-- name: crews_formed
-- By the index stored_events_crews_formed, whose condition is this one.
SELECT DISTINCT ON (originator_id) state
FROM store.stored_events
WHERE topic = 'water.crew.CrewFormed.v1'
ORDER BY originator_id, originator_version DESC

-- name: last_version
SELECT COALESCE(max(originator_version), 0) AS version FROM store.stored_events WHERE originator_id = %(id)s

-- name: events_after
SELECT notification_id AS position, originator_id, originator_version, topic, state
FROM store.stored_events
WHERE notification_id > %(after)s
ORDER BY notification_id
LIMIT %(most)s

-- name: log_head
SELECT position, recorded_at, generation, rules_position FROM store.log_head

-- name: next_case_numbers
SELECT nextval('store.case_numbers') AS number FROM generate_series(1, %(count)s)

-- name: anchor_clock
INSERT INTO store.clock_anchor (real_at, service_at, factor)
VALUES (%(real_at)s, %(service_at)s, %(factor)s)
ON CONFLICT (only_row) DO NOTHING

-- name: clock_anchor
SELECT real_at, service_at, factor FROM store.clock_anchor

-- name: clock_now
SELECT clock_timestamp()

-- name: beat
INSERT INTO store.process_beats (name, pid, started_at, beat_at, detail)
VALUES (%(name)s, %(pid)s, %(started_at)s, clock_timestamp(), %(detail)s)
ON CONFLICT (name, pid) DO UPDATE SET beat_at = excluded.beat_at, detail = excluded.detail, started_at = excluded.started_at

-- name: forget_beats
DELETE FROM store.process_beats WHERE beat_at < clock_timestamp() - interval '1 minute'
