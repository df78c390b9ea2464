-- Dead letters as people handle them, and the limit that stops a reader.

-- name: dead_letters_lately
SELECT count(*) FROM store.dead_letters
WHERE reader = %(reader)s AND position IS NOT NULL AND state IN ('open', 'again')
  AND recorded_at > clock_timestamp() - make_interval(secs => %(within_s)s::float8)
  AND recorded_at > coalesce((SELECT released_at FROM store.stopped_readers WHERE reader = %(reader)s), '-infinity')

-- name: stop_of_reader
SELECT topic, partition, position FROM store.stopped_readers WHERE reader = %(reader)s AND released_at IS NULL

-- name: stop_reader
INSERT INTO store.stopped_readers AS known (reader, letters, topic, partition, position, code)
VALUES (%(reader)s, %(letters)s, %(topic)s, %(partition)s, %(position)s, %(code)s)
ON CONFLICT (reader) DO UPDATE
SET letters = excluded.letters, topic = excluded.topic, partition = excluded.partition, position = excluded.position,
    code = excluded.code, released_at = NULL, released_by = NULL, reason = NULL,
    stopped_at = CASE WHEN known.released_at IS NULL THEN known.stopped_at ELSE excluded.stopped_at END

-- name: release_reader
UPDATE store.stopped_readers
SET released_at = clock_timestamp(), released_by = %(by)s, reason = %(reason)s
WHERE reader = %(reader)s AND released_at IS NULL
RETURNING reader

-- name: stopped_readers
SELECT reader, letters, topic, partition, position, code, stopped_at FROM store.stopped_readers
WHERE released_at IS NULL ORDER BY reader

-- name: dead_letters
SELECT id, reader, topic, topic_id, partition, record_offset, position, case_id, code, reason, size_bytes, sha256,
       recorded_at, state, settled_at, settled_by, note
FROM store.dead_letters
WHERE (%(id)s::bigint IS NULL OR id = %(id)s) AND (%(reader)s::text IS NULL OR reader = %(reader)s)
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
ORDER BY id DESC
LIMIT %(most)s

-- name: dead_letters_again
SELECT id FROM store.dead_letters WHERE reader = ANY(%(readers)s::text[]) AND state = 'again' ORDER BY id LIMIT 100

-- name: lock_dead_letter
SELECT state FROM store.dead_letters WHERE id = %(id)s FOR UPDATE

-- name: settle_dead_letter
UPDATE store.dead_letters
SET state = %(state)s, settled_by = %(by)s, note = %(note)s,
    settled_at = CASE WHEN %(state)s IN ('repaired', 'resolved') THEN clock_timestamp() END
WHERE id = %(id)s AND state IN ('open', 'again')
RETURNING id

-- name: event_at
SELECT originator_id AS case_id, topic AS type, state FROM store.stored_events WHERE notification_id = %(position)s
