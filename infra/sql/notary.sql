-- name: try_notary_lock
SELECT pg_try_advisory_lock(%(lock)s)

-- name: notary_log
SELECT array(SELECT ARRAY[lower(r), upper(r) - 1] FROM unnest(without) r ORDER BY lower(r)) AS without, follows
FROM notary.logs WHERE generation = %(generation)s

-- name: notary_holes
-- Once in a generation's life. The head is a position too: a new generation begins above its old events.
SELECT before + 1 AS first, position - 1 AS last
FROM (
    SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS before
    FROM (SELECT notification_id AS position FROM store.stored_events
          UNION SELECT position + 1 FROM store.log_head) positions
) neighbours
WHERE position > before + 1
ORDER BY 1

-- name: notary_begin_log
INSERT INTO notary.logs (generation, follows, without)
VALUES (%(generation)s, %(follows)s, (SELECT coalesce(array_agg(int8range(f, l, '[]') ORDER BY f), '{}')
                         FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS holes (f, l)))

-- name: notary_events
SELECT notification_id, state
FROM store.stored_events
WHERE notification_id > %(after)s
ORDER BY notification_id
LIMIT %(most)s

-- name: notary_notes
SELECT note FROM notary.checkpoints
WHERE generation = %(generation)s AND size >= %(least)s
ORDER BY size, number

-- name: notary_notes_behind
SELECT size, number, note FROM notary.checkpoints
WHERE generation = %(generation)s AND (size, number) > (%(size)s, %(number)s) AND size <= %(most)s
ORDER BY size, number LIMIT %(limit)s

-- name: notary_note_of_size
SELECT note FROM notary.checkpoints WHERE generation = %(generation)s AND size = %(size)s ORDER BY number DESC LIMIT 1

-- name: notary_frontier
SELECT size, peaks, last_leaf FROM notary.frontiers WHERE generation = %(generation)s

-- name: notary_keep_frontier
INSERT INTO notary.frontiers (generation, size, peaks, last_leaf)
VALUES (%(generation)s, %(size)s, %(peaks)s, %(last_leaf)s)
ON CONFLICT (generation) DO UPDATE
SET size = excluded.size, peaks = excluded.peaks, last_leaf = excluded.last_leaf

-- name: notary_forget_frontier
DELETE FROM notary.frontiers WHERE generation = %(generation)s

-- name: notary_generation
-- A first one is in no list.
SELECT forked_behind FROM store.generations WHERE generation = %(generation)s

-- name: notary_before
-- The note of the largest log before this generation's.
SELECT note, generation FROM notary.checkpoints
WHERE generation = (SELECT generation FROM notary.checkpoints WHERE generation <> %(generation)s
                    ORDER BY number DESC LIMIT 1)
ORDER BY size DESC, number DESC
LIMIT 1

-- name: notary_leaves
SELECT first_leaf, leaves FROM notary.checkpoints WHERE generation = %(generation)s ORDER BY number

-- name: notary_known
SELECT note FROM notary.checkpoints WHERE note = ANY(%(notes)s)

-- name: notary_know_log
-- Of a log whose rows a restored database lost. What it never had, and what it follows, its checkpoints say.
INSERT INTO notary.logs (generation, follows, without)
VALUES (%(generation)s, %(follows)s, (SELECT coalesce(array_agg(int8range(f, l, '[]') ORDER BY f), '{}')
                         FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS holes (f, l)))
ON CONFLICT (generation) DO NOTHING

-- name: notary_save
INSERT INTO notary.checkpoints (generation, size, position, note, first_leaf, leaves)
VALUES (%(generation)s, %(size)s, %(position)s, %(note)s, %(first_leaf)s, %(leaves)s)
RETURNING number

-- name: notary_unpublished
SELECT number, note, first_leaf, leaves FROM notary.checkpoints WHERE number > %(after)s ORDER BY number LIMIT %(most)s

-- name: notary_number_of
-- Behind which row the topic ends: the very note that it ends with, or else (a database set back) as large a log.
SELECT coalesce((SELECT max(number) FROM notary.checkpoints
                 WHERE generation = %(generation)s AND size = %(size)s AND note = %(note)s),
                (SELECT number FROM notary.checkpoints
                 WHERE generation = %(generation)s AND size <= %(size)s ORDER BY size DESC, number DESC LIMIT 1),
                0) AS number

-- name: notary_refusal
SELECT refusal FROM notary.state

-- name: notary_note_refusal
UPDATE notary.state SET refusal = %(refusal)s WHERE refusal IS DISTINCT FROM %(refusal)s

-- name: notary_now
SELECT coalesce(c.position, 0) AS position, s.refusal,
       coalesce(greatest(0, extract(epoch FROM clock_timestamp() - c.signed_at)::float8), 0) AS age_s
FROM notary.state s
LEFT JOIN LATERAL (SELECT position, signed_at FROM notary.checkpoints ORDER BY number DESC LIMIT 1) c ON true
