-- name: lock_read_positions
SELECT stored.reader, stored.topic, stored.partition, stored.topic_id, stored.position, stored.record_offset
FROM {read_positions} AS stored
JOIN unnest(%(readers)s::text[], %(topics)s::text[], %(partitions)s::int[]) AS wanted (reader, topic, partition)
  ON stored.reader = wanted.reader AND stored.topic = wanted.topic AND stored.partition = wanted.partition
WHERE stored.build = %(build)s
ORDER BY stored.reader, stored.topic, stored.partition
FOR UPDATE OF stored

-- name: insert_read_positions
INSERT INTO {read_positions} (reader, build, topic, partition)
SELECT reader, %(build)s, topic, partition
FROM unnest(%(readers)s::text[], %(topics)s::text[], %(partitions)s::int[]) AS wanted (reader, topic, partition)
ORDER BY reader, topic, partition
ON CONFLICT DO NOTHING

-- name: save_read_positions
UPDATE {read_positions} AS stored
SET position = moved.position, record_offset = moved.record_offset, topic_id = moved.topic_id,
    updated_at = clock_timestamp()
FROM unnest(%(readers)s::text[], %(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[], %(offsets)s::bigint[],
            %(topic_ids)s::uuid[]) AS moved (reader, topic, partition, position, record_offset, topic_id)
WHERE stored.build = %(build)s
  AND stored.reader = moved.reader AND stored.topic = moved.topic AND stored.partition = moved.partition

-- name: read_positions_of
SELECT stored.reader, stored.build, topic, partition, topic_id, position, record_offset
FROM {read_positions} AS stored
JOIN unnest(%(readers)s::text[], %(builds)s::int[]) AS wanted (reader, build)
  ON stored.reader = wanted.reader AND stored.build = wanted.build

-- name: insert_dead_letters
INSERT INTO store.dead_letters
    (reader, topic, topic_id, partition, record_offset, position, code, reason, size_bytes, sha256, case_id)
SELECT %(reader)s, *
FROM unnest(%(topics)s::text[], %(topic_ids)s::uuid[], %(partitions)s::int[], %(offsets)s::bigint[],
            %(positions)s::bigint[], %(codes)s::text[], %(reasons)s::text[], %(sizes)s::int[], %(sha256s)s::text[],
            %(cases)s::uuid[])
ON CONFLICT DO NOTHING

-- name: relayed_positions
SELECT topic, partition, position
FROM store.relay_checkpoint
WHERE cluster_id = (SELECT cluster_id FROM store.relay_state ORDER BY epoch DESC LIMIT 1)
  AND topic = ANY(%(topics)s::text[])

-- name: placed_events_at
SELECT notification_id, originator_id, topic, state
FROM store.stored_events
WHERE notification_id = ANY(%(positions)b::bigint[])
