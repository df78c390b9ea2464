-- A store that stands behind Kafka. Everything here runs in one transaction that holds the log's head.

-- name: other_sessions
SELECT pid, coalesce(nullif(application_name, ''), 'a program') AS program, usename AS account
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY pid

-- name: recover_stage
CREATE TEMP TABLE beyond (
    position bigint NOT NULL,
    kafka_topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    generation text NOT NULL,
    headers jsonb NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    case_id uuid NOT NULL,
    version bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (position, kafka_topic, partition, record_offset)
) ON COMMIT DROP

-- name: recover_put
INSERT INTO beyond VALUES (%(position)s, %(topic)s, %(partition)s, %(record_offset)s, %(generation)s, %(headers)s,
                           %(event_id)s, %(type)s, %(case_id)s, %(version)s, %(recorded_at)s, %(state)s)

-- name: recover_found
SELECT count(DISTINCT position) AS events, coalesce(min(position), 0) AS first, coalesce(max(position), 0) AS last FROM beyond

-- name: recover_fork
-- The first record that contradicts: the store, another record of the same position, or a case's version that the store has.
SELECT b.position, b.kafka_topic, b.partition, b.record_offset
FROM beyond b
WHERE EXISTS (SELECT FROM store.stored_events e WHERE e.notification_id = b.position)
   OR EXISTS (SELECT FROM beyond o WHERE o.position = b.position AND o.state <> b.state)
   OR EXISTS (SELECT FROM store.stored_events e
              WHERE e.originator_id = b.case_id AND e.originator_version = b.version)
ORDER BY b.position
LIMIT 1

-- name: recover_links
SELECT position, kafka_topic, partition, record_offset, type, case_id, headers->>'previousposition' AS previous
FROM beyond ORDER BY position, kafka_topic, partition, record_offset

-- name: recover_routes
SELECT notification_id AS position, originator_id AS case_id, topic AS type
FROM store.stored_events WHERE notification_id > %(position)s AND notification_id <= %(head)s
ORDER BY notification_id LIMIT 5000

-- name: recover_newest
SELECT generation FROM beyond ORDER BY position DESC LIMIT 1

-- name: recover_strange
-- The first record that another store's relay wrote.
SELECT position, kafka_topic, partition, record_offset, generation
FROM beyond WHERE NOT generation = ANY(%(known)s::text[]) ORDER BY position LIMIT 1

-- name: recover_holes
-- Positions above the head that no record has, as ranges, and the type and data of the event behind each.
SELECT before + 1 AS first, position - 1 AS last, type, convert_from(state, 'UTF8')::jsonb->'data' AS data
FROM (
    SELECT position, type, state, lag(position, 1, %(head)s::bigint) OVER (ORDER BY position) AS before
    FROM (SELECT DISTINCT ON (position) position, type, state FROM beyond ORDER BY position) once
) gaps
WHERE position > before + 1
ORDER BY position

-- name: recover_generations
-- What the events themselves say about generations that began behind the head.
SELECT DISTINCT position, convert_from(state, 'UTF8')::jsonb->'data' AS data
FROM beyond WHERE type = %(type)s ORDER BY position

-- name: recover_append
INSERT INTO store.stored_events (originator_id, originator_version, topic, state, notification_id)
SELECT DISTINCT ON (position) case_id, version, type, state, position FROM beyond ORDER BY position

-- name: recover_head
UPDATE store.log_head
SET position = %(last)s, recorded_at = greatest(recorded_at, (SELECT max(recorded_at) FROM beyond)),
    generation = %(generation)s,
    rules_position = greatest(rules_position, coalesce(
        (SELECT max(position) FROM beyond WHERE type = ANY(%(rule_types)s::text[])), 0))

-- name: recover_commands
-- A command's own id is its key where its sender gave none.
INSERT INTO store.command_keys
    (actor_scope, key, digest, case_id, first_version, last_version, position, recorded_at)
SELECT DISTINCT ON (command) 'command', command, ''::bytea, case_id, min(version) OVER stream, max(version) OVER stream,
       max(position) OVER stream, recorded_at
FROM (SELECT DISTINCT ON (position) *, convert_from(state, 'UTF8')::jsonb->>'commandid' AS command
      FROM beyond ORDER BY position) once
WHERE command <> ''
WINDOW stream AS (PARTITION BY command, case_id)
ORDER BY command, position
ON CONFLICT DO NOTHING

-- name: recover_numbers
-- A number that was given to a case is not given to another, whether that case comes back or not.
SELECT setval('store.case_numbers', greatest(given, last_value), given > 0 OR is_called)
FROM store.case_numbers, (
    SELECT coalesce(max((regexp_match(number, '^[A-Z]+-\d{4}-(\d{6,12})$'))[1]::bigint), 0) AS given
    FROM (SELECT convert_from(state, 'UTF8')::jsonb->'data' AS data FROM beyond) said,
         unnest(ARRAY[data->>'case_number', data->>'number']) AS number
) numbers

-- name: recover_lost_subjects
SELECT count(*) AS subjects FROM (
    SELECT DISTINCT subject->>'id' AS id, (subject->>'revision')::int AS revision
    FROM beyond, jsonb_path_query(convert_from(state, 'UTF8')::jsonb->'data', 'strict $.**.subject') AS subject
    WHERE jsonb_typeof(subject) = 'object'
) named
WHERE NOT EXISTS (SELECT FROM vault.subjects s WHERE s.subject_id::text = named.id AND s.revision = named.revision)

-- name: recover_counts
SELECT count(DISTINCT convert_from(state, 'UTF8')::jsonb->>'commandid') AS commands,
       count(DISTINCT position) FILTER (WHERE split_part(type, '.', 3) = ANY(%(telling)s::text[])) AS messages
FROM beyond

-- name: recover_list
SELECT position, kafka_topic, partition, record_offset, headers, event_id, type, case_id, version, recorded_at, state
FROM beyond ORDER BY position, kafka_topic, partition, record_offset

-- name: recover_highest
-- Above every position that anybody can have seen: on Kafka, in the store, by the relay's and the readers' own notes.
SELECT greatest(%(head)s::bigint, (SELECT max(position) FROM beyond), (SELECT max(position) FROM store.relay_checkpoint),
                (SELECT max(all_out) FROM store.relay_state), (SELECT max(position) FROM views.places),
                (SELECT max(position) FROM watch.places), (SELECT max(position) FROM billing.places)) AS highest

-- name: recover_readers_ahead
SELECT 'views' AS schema, reader FROM views.places GROUP BY reader HAVING max(position) > %(behind)s
UNION ALL
SELECT 'watch', reader FROM watch.places GROUP BY reader HAVING max(position) > %(behind)s
UNION ALL
SELECT 'readings', reader FROM readings.places GROUP BY reader HAVING max(position) > %(behind)s
UNION ALL
SELECT 'billing', reader FROM billing.places GROUP BY reader HAVING max(position) > %(behind)s
ORDER BY 1, 2

-- name: recover_tables
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name
FROM pg_tables WHERE schemaname = %(schema)s ORDER BY 1

-- name: recover_sweep
UPDATE watch.sweep SET position = least(position, %(behind)s)

-- name: recover_recompute
UPDATE watch.recompute SET rules_position = 0, looked_at = 0

-- name: generation_begun
INSERT INTO store.generations (generation, forked_behind, begins_behind, given_up, list_sha256)
VALUES (%(generation)s, %(forked_behind)s, %(begins_behind)s, %(given_up)s, %(list_sha256)s)
ON CONFLICT (generation) DO NOTHING

-- name: generation_head
UPDATE store.log_head SET position = %(position)s, recorded_at = %(recorded_at)s, generation = %(generation)s

-- name: generation_unfinished
SELECT generation FROM store.generations WHERE topics_renewed_at IS NULL ORDER BY begins_behind

-- name: generation_finished
UPDATE store.generations SET topics_renewed_at = clock_timestamp() WHERE topics_renewed_at IS NULL
