-- name: try_relay_lock
SELECT pg_try_advisory_lock(%(lock)s)

-- name: end_hung_relay
SELECT pg_terminate_backend(activity.pid)
FROM pg_locks held JOIN pg_stat_activity activity ON activity.pid = held.pid
WHERE held.locktype = 'advisory' AND held.classid = 0 AND held.objid = %(lock)s AND held.granted
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND activity.query_start < clock_timestamp() - make_interval(secs => %(hang_ms)s / 1000.0)

-- name: other_cluster
SELECT cluster_id FROM store.relay_state WHERE cluster_id <> %(cluster_id)s ORDER BY updated_at DESC LIMIT 1

-- name: known_cluster
SELECT EXISTS (SELECT FROM store.relay_state WHERE cluster_id = %(cluster_id)s)

-- name: begin_session
INSERT INTO store.relay_state (cluster_id, epoch, sessions, refills)
SELECT %(cluster_id)s, coalesce(max(epoch), 0) + 1, 1, %(refills)s FROM store.relay_state
ON CONFLICT (cluster_id) DO UPDATE
SET epoch = excluded.epoch, sessions = relay_state.sessions + 1, refills = relay_state.refills + excluded.refills,
    updated_at = clock_timestamp()
RETURNING epoch, all_out

-- name: checkpoints
SELECT topic, topic_id, partition, position, record_offset, epoch, head_offset
FROM store.relay_checkpoint
WHERE cluster_id = %(cluster_id)s

-- name: forget_topics
DELETE FROM store.relay_checkpoint WHERE cluster_id = %(cluster_id)s AND NOT topic_id = ANY(%(topic_ids)s::uuid[])

-- name: save_checkpoints
INSERT INTO store.relay_checkpoint AS known
    (cluster_id, topic_id, topic, partition, position, record_offset, epoch, head_offset)
SELECT %(cluster_id)s, *
FROM unnest(%(topic_ids)s::uuid[], %(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[],
            %(offsets)s::bigint[], %(epochs)s::bigint[], %(heads)s::bigint[])
ON CONFLICT (cluster_id, topic_id, partition) DO UPDATE
SET position = excluded.position, record_offset = excluded.record_offset, epoch = excluded.epoch,
    head_offset = coalesce(excluded.head_offset, known.head_offset)

-- name: save_relay_state
UPDATE store.relay_state
SET all_out = %(all_out)s, updated_at = clock_timestamp(), tails_lost = tails_lost + %(tails_lost)s,
    foreign_records = foreign_records + %(foreign_records)s,
    histories_refilled = histories_refilled + %(histories_refilled)s
WHERE cluster_id = %(cluster_id)s

-- name: relay_beat
UPDATE store.relay_state SET updated_at = clock_timestamp() WHERE cluster_id = %(cluster_id)s

-- name: note_relay_error
UPDATE store.relay_state
SET last_error = %(error)s, tails_lost = tails_lost + %(tails_lost)s, updated_at = clock_timestamp()
WHERE cluster_id = (SELECT cluster_id FROM store.relay_state ORDER BY epoch DESC LIMIT 1)

-- name: generation
SELECT generation FROM store.log_head

-- name: outgoing
SELECT notification_id, originator_id::text, topic, state
FROM store.stored_events
WHERE notification_id > %(position)s
ORDER BY notification_id
LIMIT %(limit)s

-- name: events_at
SELECT notification_id, state
FROM store.stored_events
WHERE notification_id = ANY(%(positions)s::bigint[])

-- name: last_position
SELECT coalesce(max(notification_id), 0) FROM store.stored_events

-- name: unpublished_dead_letters
SELECT id, reader, topic, topic_id, partition, record_offset, position, code, reason, size_bytes, sha256, recorded_at
FROM store.dead_letters
WHERE published_at IS NULL
ORDER BY id
LIMIT %(limit)s

-- name: mark_dead_letters_published
UPDATE store.dead_letters SET published_at = clock_timestamp() WHERE id = ANY(%(ids)s::bigint[])

-- name: want_walks
INSERT INTO store.relay_walks AS known (topic, partition, wanted_by)
SELECT topic, partition, %(by)s FROM unnest(%(topics)s::text[], %(partitions)s::int[]) AS wanted (topic, partition)
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO UPDATE SET wanted_by = excluded.wanted_by, wanted_at = clock_timestamp()
WHERE known.walked_at IS NULL OR known.walked_at < clock_timestamp() - make_interval(secs => %(again_s)s)

-- name: walks_wanted
SELECT topic, partition FROM store.relay_walks
WHERE topic = ANY(%(topics)s::text[]) AND (walked_at IS NULL OR walked_at < wanted_at)

-- name: walks_done
UPDATE store.relay_walks AS known SET walked_at = clock_timestamp()
FROM unnest(%(topics)s::text[], %(partitions)s::int[]) AS done (topic, partition)
WHERE known.topic = done.topic AND known.partition = done.partition

-- name: forget_findings
DELETE FROM store.topic_findings
WHERE put_right_at < clock_timestamp() - interval '1 day'
   OR code = ANY(%(codes)s::text[]) AND put_right_at IS NULL
      AND (topic, code, name) NOT IN (
          SELECT * FROM unnest(%(finding_topics)s::text[], %(finding_codes)s::text[], %(names)s::text[]))

-- name: save_findings
INSERT INTO store.topic_findings (topic, code, name, found, needed)
SELECT * FROM unnest(%(finding_topics)s::text[], %(finding_codes)s::text[], %(names)s::text[], %(founds)s::text[],
                     %(neededs)s::text[])
ON CONFLICT (topic, code, name) DO UPDATE
SET found = excluded.found, needed = excluded.needed, put_right_at = NULL

-- name: settings_put_right
WITH counted AS (
    UPDATE store.relay_state
    SET settings_put_right = settings_put_right + cardinality(%(names)s::text[])
    WHERE cluster_id = %(cluster_id)s
)
INSERT INTO store.topic_findings (topic, code, name, found, needed, put_right_at)
SELECT *, clock_timestamp()
FROM unnest(%(finding_topics)s::text[], %(finding_codes)s::text[], %(names)s::text[], %(founds)s::text[],
            %(neededs)s::text[])
ON CONFLICT (topic, code, name) DO UPDATE
SET found = excluded.found, needed = excluded.needed, since = excluded.since, put_right_at = excluded.put_right_at

-- name: published_events
-- How many events are on Kafka, and up to which position, by the relay's last word; no row before its first session.
SELECT (SELECT count(*) FROM store.stored_events WHERE notification_id <= relay.all_out), relay.all_out
FROM (SELECT all_out FROM store.relay_state ORDER BY epoch DESC LIMIT 1) AS relay

-- name: publish_dead_letters_again
UPDATE store.dead_letters SET published_at = NULL

-- name: disown_record
INSERT INTO store.disowned_records (topic_id, topic, partition, record_offset, position, disowned_by, reason)
VALUES (%(topic_id)s, %(topic)s, %(partition)s, %(offset)s, %(position)s, %(by)s, %(reason)s)
ON CONFLICT DO NOTHING

-- name: disowned_records
SELECT topic, partition, record_offset FROM store.disowned_records WHERE topic_id = ANY(%(topic_ids)s::uuid[])
