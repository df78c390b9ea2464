-- The processor of meter readings.

-- name: readings_lock_shared
SELECT pg_advisory_xact_lock_shared(225000008)

-- name: readings_lock
SELECT pg_advisory_xact_lock(225000008)

-- name: readings_offsets_begin
INSERT INTO readings.offsets (topic, partition, topic_id, next_offset)
SELECT %(topic)s, partition, %(topic_id)s, 0 FROM unnest(%(partitions)s::int[]) AS partition
ORDER BY partition
ON CONFLICT DO NOTHING

-- name: readings_offsets_lock
SELECT partition, topic_id, next_offset, end_offset FROM readings.offsets
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s::int[])
ORDER BY partition
FOR UPDATE

-- name: readings_offsets_save
UPDATE readings.offsets AS place
SET next_offset = moved.next_offset, topic_id = %(topic_id)s
FROM unnest(%(partitions)s::int[], %(next_offsets)s::bigint[]) AS moved (partition, next_offset)
WHERE place.topic = %(topic)s AND place.partition = moved.partition

-- name: readings_offsets_seen
-- Where the logs end; only forwards, except of a topic that was made anew.
UPDATE readings.offsets AS place
SET end_offset = seen.end_offset, lost = place.lost + seen.lost
FROM unnest(%(partitions)s::int[], %(end_offsets)s::bigint[], %(lost)s::bigint[]) AS seen (partition, end_offset, lost)
WHERE place.topic = %(topic)s AND place.partition = seen.partition

-- name: readings_known
SELECT meter, initial_litres, dial_max_m3, read_at, litres, recent, flowing_since,
       CASE WHEN out_at > in_at THEN out_at END, first_in_at
FROM readings.meters LEFT JOIN readings.histories USING (meter)
WHERE meter = ANY(%(meters)s::text[])

-- name: readings_insert
INSERT INTO readings.readings (meter, read_at, litres)
SELECT * FROM unnest(%(meters)s::text[], %(times)s::timestamptz[], %(litres)s::bigint[])
ON CONFLICT DO NOTHING
RETURNING meter, read_at

-- name: readings_set_aside
INSERT INTO readings.set_aside (meter, read_at, litres, reason)
SELECT * FROM unnest(%(meters)s::text[], %(times)s::timestamptz[], %(litres)s::bigint[], %(reasons)s::text[])
ON CONFLICT DO NOTHING

-- name: readings_stored
SELECT meter, read_at, litres FROM readings.readings
WHERE (meter, read_at) IN (SELECT * FROM unnest(%(meters)s::text[], %(times)s::timestamptz[]))

-- name: readings_all_of
SELECT meter, read_at, litres FROM readings.readings WHERE meter = ANY(%(meters)s::text[])

-- name: readings_save_histories
INSERT INTO readings.histories (meter, read_at, litres, recent, flowing_since)
SELECT meter, read_at, litres, recent::bigint[], flowing_since
FROM unnest(%(meters)s::text[], %(times)s::timestamptz[], %(litres)s::bigint[], %(recents)s::text[],
            %(flowing)s::timestamptz[]) AS found (meter, read_at, litres, recent, flowing_since)
ORDER BY meter
ON CONFLICT (meter) DO UPDATE
SET read_at = excluded.read_at, litres = excluded.litres, recent = excluded.recent,
    flowing_since = excluded.flowing_since

-- name: readings_forget_anomalies
UPDATE readings.anomalies SET standing = false, revision = revision + 1
WHERE meter = ANY(%(meters)s::text[]) AND standing
  AND (meter, read_at) NOT IN (SELECT * FROM unnest(%(kept)s::text[], %(kept_times)s::timestamptz[]))

-- name: readings_save_anomalies
INSERT INTO readings.anomalies AS known (meter, read_at, used_litres, flags, found_at)
SELECT meter, read_at, used, flags::text[], %(now)s
FROM unnest(%(meters)s::text[], %(times)s::timestamptz[], %(used)s::bigint[], %(flags)s::text[])
  AS found (meter, read_at, used, flags)
ON CONFLICT (meter, read_at) DO UPDATE
SET used_litres = excluded.used_litres, flags = excluded.flags, standing = true, revision = known.revision + 1
WHERE (known.used_litres, known.flags, known.standing) IS DISTINCT FROM (excluded.used_litres, excluded.flags, true)

-- name: readings_speak_alone
SELECT pg_try_advisory_lock(225000009)

-- name: readings_untold
SELECT meter, read_at, litres, used_litres, flags, standing, revision, told
FROM readings.anomalies JOIN readings.readings USING (meter, read_at)
WHERE told < revision
ORDER BY found_at, meter, read_at
LIMIT %(limit)s

-- name: readings_told
UPDATE readings.anomalies AS known
SET told = greatest(known.told, said.revision)
FROM unnest(%(meters)s::text[], %(times)s::timestamptz[], %(revisions)s::int[]) AS said (meter, read_at, revision)
WHERE known.meter = said.meter AND known.read_at = said.read_at

-- name: readings_meet_meters
-- Whichever order the events come in, the last time in and the last time out tell whether it is in.
INSERT INTO readings.meters AS known (meter, initial_litres, dial_max_m3, in_at, first_in_at)
SELECT * FROM unnest(%(meters)s::text[], %(initial)s::bigint[], %(dials)s::int[], %(times)s::timestamptz[],
                     %(first_times)s::timestamptz[])
ON CONFLICT (meter) DO UPDATE
SET in_at = greatest(known.in_at, excluded.in_at), first_in_at = least(known.first_in_at, excluded.first_in_at)
RETURNING meter

-- name: readings_take_out
UPDATE readings.meters AS known SET out_at = greatest(known.out_at, gone.at)
FROM unnest(%(meters)s::text[], %(times)s::timestamptz[]) AS gone (meter, at)
WHERE known.meter = gone.meter

-- name: readings_after_the_end
-- What was stored already of later than the meter was out.
WITH gone AS (
    DELETE FROM readings.readings USING readings.meters
    WHERE readings.meter = meters.meter AND meters.meter = ANY(%(meters)s::text[])
      AND meters.out_at > meters.in_at AND readings.read_at > meters.out_at
    RETURNING readings.meter, readings.read_at, readings.litres
)
INSERT INTO readings.set_aside (meter, read_at, litres, reason)
SELECT meter, read_at, litres, 'meter-out' FROM gone
ON CONFLICT DO NOTHING

-- name: readings_take_up
DELETE FROM readings.set_aside USING readings.meters
WHERE set_aside.meter = meters.meter AND meters.meter = ANY(%(meters)s::text[])
  AND (reason = 'unknown-meter' OR reason = 'meter-out' AND read_at >= in_at AND in_at >= out_at
       OR reason = 'before-meter' AND read_at >= first_in_at)
RETURNING set_aside.meter, read_at, litres

-- name: readings_make_month
CREATE TABLE IF NOT EXISTS {name} PARTITION OF readings.readings FOR VALUES FROM ({first}) TO ({end})

-- name: readings_aside
SELECT meter, read_at, litres, reason, at FROM readings.set_aside
WHERE (%(meter)s::text IS NULL OR meter = %(meter)s) AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY at DESC, meter, read_at DESC, litres
LIMIT %(limit)s

-- name: readings_anomalies
SELECT meter, read_at, used_litres, flags, found_at FROM readings.anomalies
WHERE standing AND (%(meter)s::text IS NULL OR meter = %(meter)s)
ORDER BY found_at DESC, meter, read_at DESC
LIMIT %(limit)s
