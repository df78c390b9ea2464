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
SELECT topic, topic_id, partition, position, record_offset, epoch
FROM store.relay_checkpoint
WHERE cluster_id = %(cluster_id)s

-- name: forget_topics
DELETE FROM store.relay_checkpoint WHERE cluster_id = %(cluster_id)s AND NOT topic_id = ANY(%(topic_ids)s::uuid[])

-- name: save_checkpoints
INSERT INTO store.relay_checkpoint (cluster_id, topic_id, topic, partition, position, record_offset, epoch)
SELECT %(cluster_id)s, *
FROM unnest(%(topic_ids)s::uuid[], %(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[],
            %(offsets)s::bigint[], %(epochs)s::bigint[])
ON CONFLICT (cluster_id, topic_id, partition) DO UPDATE
SET position = excluded.position, record_offset = excluded.record_offset, epoch = excluded.epoch

-- name: save_relay_state
UPDATE store.relay_state
SET all_out = %(all_out)s, updated_at = clock_timestamp(), tails_lost = tails_lost + %(tails_lost)s,
    foreign_records = foreign_records + %(foreign_records)s
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
SELECT notification_id, originator_id, topic, state
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
