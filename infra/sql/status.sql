-- How the parts stand. Beats and the relay's times are real time; events and windows are in service time. An age is
-- counted between two readings of this server's own clock: between two clocks it would show their difference.

-- name: head_now
SELECT position, nullif(recorded_at, '-infinity') AS recorded_at, generation FROM store.log_head

-- name: relay_now
SELECT cluster_id, epoch, all_out, sessions, tails_lost, foreign_records, refills, last_error, updated_at,
       settings_put_right, histories_refilled
FROM store.relay_state
ORDER BY updated_at DESC
LIMIT 1

-- name: oldest_unpublished
SELECT (convert_from(state, 'UTF8')::jsonb->>'recordedat')::timestamptz AS recorded_at, clock_timestamp() AS now
FROM store.stored_events WHERE notification_id > %(all_out)s ORDER BY notification_id LIMIT 1

-- name: relay_positions
-- Of a topic that was made anew the rows of the old one remain; positions are never used twice, so the furthest counts.
SELECT topic, partition, max(position) AS position
FROM store.relay_checkpoint
WHERE cluster_id = (SELECT cluster_id FROM store.relay_state ORDER BY updated_at DESC LIMIT 1)
GROUP BY topic, partition

-- name: reader_positions
-- The readings' own topic has no positions: its offsets are shown in their place, and where the log was last seen to end.
SELECT 'views' AS schema, reader, build, topic, partition, position, NULL::bigint AS published FROM views.places
UNION ALL
SELECT 'watch', reader, build, topic, partition, position, NULL FROM watch.places
UNION ALL
SELECT 'billing', reader, build, topic, partition, position, NULL FROM billing.places
UNION ALL
SELECT 'readings', reader, build, topic, partition, position, NULL FROM readings.places
UNION ALL
SELECT 'readings', 'readings', 1, topic, partition, next_offset, greatest(next_offset, end_offset) FROM readings.offsets
ORDER BY 1, 2, 3, 4, 5

-- name: process_beats
SELECT name, pid, started_at, greatest(0, extract(epoch FROM clock_timestamp() - beat_at)::float8) AS beat_age_s, detail
FROM store.process_beats
ORDER BY name, pid

-- name: billing_open_differences
SELECT count(*) FROM billing.differences WHERE resolved_at IS NULL

-- name: dead_letters_by_reader
SELECT reader, count(*) AS letters FROM store.dead_letters GROUP BY reader ORDER BY reader

-- name: topic_findings
SELECT topic, code, name, found, needed, since, put_right_at FROM store.topic_findings ORDER BY topic, code, name

-- name: readings_lost
SELECT coalesce(sum(lost), 0)::bigint AS lost,
       EXISTS (SELECT FROM store.dead_letters WHERE code = 'readings-gone' AND state IN ('open', 'again')) AS untold
FROM readings.offsets

-- name: promises_by_commitment
SELECT coalesce(w.commitment, b.commitment) AS commitment, coalesce(w.running, 0) AS running,
       coalesce(b.lapses, 0) AS lapses, coalesce(b.retractions, 0) AS retractions
FROM (SELECT commitment, count(*) FILTER (WHERE state = 'running') AS running FROM views.windows GROUP BY 1) w
FULL JOIN (
    SELECT commitment, count(DISTINCT event_id) FILTER (WHERE change = 'lapsed') AS lapses,
           count(DISTINCT event_id) FILTER (WHERE change = 'retracted') AS retractions
    FROM views.breaches
    WHERE change IN ('lapsed', 'retracted')
    GROUP BY commitment
) b USING (commitment)
ORDER BY 1

-- name: lateness
-- A lapse that a person's late fact brought on record is no lateness of the watch: its event is that person's.
SELECT count(*) AS lapses, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50_ms,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99_ms, max(ms) AS max_ms
FROM (
    SELECT greatest(0, extract(epoch FROM recorded_at - coalesce(provisional_until, due_at))::float8) * 1000
        / %(factor)s::float8 AS ms
    FROM views.breaches b
    LEFT JOIN store.stored_events e ON e.notification_id = b.position
    WHERE change = 'lapsed' AND due_at IS NOT NULL
        AND coalesce(convert_from(e.state, 'UTF8')::json ->> 'role', 'system') = 'system'
    ORDER BY b.position DESC
    LIMIT %(most)s
) late

-- name: watch_tally
SELECT asked, (SELECT missed FROM watch.sweep) AS missed FROM watch.tally

-- name: watch_lateness
SELECT le, lapses, seconds FROM watch.lateness ORDER BY le

-- name: watch_sizes
SELECT commitment, open FROM watch.sizes ORDER BY commitment

-- name: watch_canaries
SELECT c.pid, c.sung, c.heard, c.lateness_ms,
       greatest(0, extract(epoch FROM clock_timestamp() - greatest(c.seen_at, c.heard_at))::float8) AS silent_s,
       EXISTS (
           SELECT FROM store.process_beats b
           WHERE b.name = 'watch' AND b.pid = c.pid
             AND b.beat_at > clock_timestamp() - make_interval(secs => %(patience_s)s)
       ) AS up
FROM watch.canaries c ORDER BY c.pid, c.began_at

-- name: try_to_write
-- A quarter of a megabyte of the server's disk, in rows too short to be compressed, and given back at the end.
SET LOCAL client_min_messages = warning;
SET LOCAL statement_timeout = '5s';
SET LOCAL temp_tablespaces = '';
CREATE TEMPORARY TABLE IF NOT EXISTS tongshui_room (filler text) ON COMMIT DELETE ROWS;
INSERT INTO pg_temp.tongshui_room SELECT repeat('x', 1000) FROM generate_series(1, 256)

-- name: data_directory
SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END AS path
