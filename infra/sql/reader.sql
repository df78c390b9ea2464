-- name: lock_places
SELECT topic, partition, topic_id, position, record_offset
FROM {places}
WHERE reader = %(reader)s AND build = %(build)s
  AND (topic, partition) IN (SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[]))
ORDER BY topic, partition
FOR UPDATE

-- name: insert_places
INSERT INTO {places} (reader, build, topic, partition)
SELECT %(reader)s, %(build)s, topic, partition
FROM unnest(%(topics)s::text[], %(partitions)s::int[]) AS wanted (topic, partition)
ORDER BY topic, partition
ON CONFLICT DO NOTHING

-- name: save_places
UPDATE {places} AS place
SET position = moved.position, record_offset = moved.record_offset, topic_id = moved.topic_id,
    updated_at = clock_timestamp()
FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[], %(offsets)s::bigint[],
            %(topic_ids)s::uuid[]) AS moved (topic, partition, position, record_offset, topic_id)
WHERE place.reader = %(reader)s AND place.build = %(build)s
  AND place.topic = moved.topic AND place.partition = moved.partition

-- name: places_of
SELECT place.reader, place.build, topic, partition, topic_id, position, record_offset
FROM {places} AS place
JOIN unnest(%(readers)s::text[], %(builds)s::int[]) AS wanted (reader, build)
  ON place.reader = wanted.reader AND place.build = wanted.build

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
