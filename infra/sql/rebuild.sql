-- Read models made anew beside those in use. {new}, {old} and {table} are a model's tables.

-- name: rebuild_lock
SELECT pg_try_advisory_lock(225000074)

-- name: rebuild_run
SELECT models, waiting, program, generation FROM rebuild.run

-- name: rebuild_begin
INSERT INTO rebuild.run (models, waiting, program, generation)
SELECT %(models)s::text[], %(models)s::text[], %(program)s, generation FROM store.log_head

-- name: rebuild_lanes
INSERT INTO rebuild.lanes (lane) SELECT * FROM generate_series(0, %(lanes)s - 1)

-- name: rebuild_forget
TRUNCATE rebuild.run, rebuild.lanes, rebuild.places, rebuild.caught_up, rebuild.refused

-- name: rebuild_attempt
-- Every lane of an earlier attempt that still runs finds another number in its row, and writes nothing more.
UPDATE rebuild.lanes SET attempt = attempt + 1 RETURNING lane, attempt, position

-- name: rebuild_lane
SELECT position FROM rebuild.lanes WHERE lane = %(lane)s AND attempt = %(attempt)s

-- name: rebuild_progress
SELECT coalesce(sum(position), 0) / greatest(count(*), 1), coalesce(min(position), 0) FROM rebuild.lanes

-- name: rebuild_move_lane
UPDATE rebuild.lanes SET position = %(until)s
WHERE lane = %(lane)s AND attempt = %(attempt)s AND position = %(after)s

-- name: rebuild_move_places
INSERT INTO rebuild.places (lane, topic, partition, position)
SELECT %(lane)s, * FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[])
ON CONFLICT (lane, topic, partition) DO UPDATE SET position = excluded.position

-- name: rebuild_places
SELECT topic, partition, max(position) FROM rebuild.places WHERE topic = ANY(%(topics)s::text[]) GROUP BY 1, 2

-- name: rebuild_caught_up
SELECT topic, partition, position, lanes_at FROM rebuild.caught_up WHERE reader = %(reader)s

-- name: rebuild_catch_up
INSERT INTO rebuild.caught_up (reader, topic, partition, position, lanes_at)
SELECT %(reader)s, *, %(lanes_at)s FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(positions)s::bigint[])
ON CONFLICT (reader, topic, partition) DO UPDATE SET position = excluded.position

-- name: rebuild_readers_caught_up
SELECT DISTINCT reader FROM rebuild.caught_up

-- name: rebuild_refuse
INSERT INTO rebuild.refused (reader, position, reason)
SELECT * FROM unnest(%(readers)s::text[], %(positions)s::bigint[], %(reasons)s::text[])
ON CONFLICT DO NOTHING

-- name: rebuild_newly_refused
-- Events that the new rows lack although the rows in use have them.
SELECT count(*) OVER (), r.position, r.reason
FROM rebuild.refused r
WHERE r.reader = %(reader)s AND NOT EXISTS (
    SELECT FROM store.dead_letters d
    WHERE d.reader = r.reader AND d.position = r.position AND d.state <> 'repaired')
ORDER BY r.position LIMIT 1

-- name: rebuild_events
-- One lane's events: all of a case are of one lane.
SELECT notification_id, topic, state
FROM store.stored_events
WHERE notification_id > %(after)s AND notification_id <= %(until)s
  AND get_byte(uuid_send(originator_id), 15) %% %(lanes)s = %(lane)s
  AND (split_part(topic, '.', 2) = ANY(%(topics)s::text[])
       OR split_part(topic, '.', 3) = ANY(%(facts)s::text[]))
ORDER BY notification_id

-- name: rebuild_all_out
SELECT coalesce((SELECT all_out FROM store.relay_state ORDER BY epoch DESC LIMIT 1), 0)

-- name: rebuild_generation
SELECT generation FROM store.log_head

-- name: rebuild_columns
SELECT format('%%s %%s %%s', attname, format_type(atttypid, atttypmod), attnotnull) AS told
FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum

-- name: rebuild_types
SELECT attname, format_type(atttypid, NULL)
FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped

-- name: rebuild_like
CREATE TABLE {new} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)

-- name: rebuild_keys
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u') ORDER BY conname

-- name: rebuild_indexes
-- Those that no constraint has made, as they would be made on the other table.
SELECT replace(pg_get_indexdef(indexrelid), ' ON ' || %(table)s || ' ', ' ON ' || %(new)s || ' ')
FROM pg_index
WHERE indrelid = %(table)s::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
  AND to_regclass(%(new_schema)s || '.' || quote_ident((SELECT relname FROM pg_class WHERE oid = indexrelid))) IS NULL
ORDER BY 1

-- name: rebuild_grants
SELECT CASE grantee WHEN 0 THEN NULL ELSE grantee::regrole::text END, privilege_type
FROM pg_class, aclexplode(relacl)
WHERE pg_class.oid = %(table)s::regclass AND grantee <> relowner
ORDER BY 1, 2

-- name: rebuild_delete
DELETE FROM {table} AS found USING jsonb_populate_recordset(NULL::{table}, %(keys)s) AS wanted
WHERE ({found_keys}) = ({wanted_keys})

-- name: rebuild_in_use
SELECT DISTINCT activity.pid, coalesce(nullif(application_name, ''), 'a program') AS program, usename AS account
FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
WHERE held.relation = %(table)s::regclass AND held.granted AND activity.pid <> pg_backend_pid()
ORDER BY 1

-- name: rebuild_differences
SELECT count(*) FILTER (WHERE old.{key} IS NOT NULL), count(*) FILTER (WHERE new.{key} IS NOT NULL),
       count(*) FILTER (WHERE old.{key} IS NULL), count(*) FILTER (WHERE new.{key} IS NULL),
       count(*) FILTER (WHERE old.{key} IS NOT NULL AND new.{key} IS NOT NULL
                          AND ({old_columns}) IS DISTINCT FROM ({new_columns}))
FROM {old} AS old FULL JOIN {table} AS new USING ({keys})

-- name: rebuild_took_over
UPDATE rebuild.run SET waiting = array_remove(waiting, %(model)s)
