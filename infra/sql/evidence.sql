-- Evidence: uploads, the files that are kept, whose they are, who read them.

-- name: evidence_lock_actor
-- Two uploads that one actor begins at once are counted one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('evidence:' || %(actor)s, 0))

-- name: evidence_open_upload
SELECT * FROM evidence.uploads
WHERE actor = %(actor)s AND digest = %(digest)s AND class = %(class)s AND completed_at IS NULL
  AND case_id IS NOT DISTINCT FROM %(case_id)s AND subject_id IS NOT DISTINCT FROM %(subject_id)s

-- name: evidence_open_uploads
SELECT count(*) AS uploads FROM evidence.uploads WHERE actor = %(actor)s AND completed_at IS NULL

-- name: evidence_begin
INSERT INTO evidence.uploads
    (id, actor, role, digest, class, media_type, size_bytes, case_id, subject_id, sealed_key, touched_at)
VALUES
    (%(id)s, %(actor)s, %(role)s, %(digest)s, %(class)s, %(media_type)s, %(size_bytes)s, %(case_id)s, %(subject_id)s,
     %(sealed_key)s, %(at)s)
RETURNING *

-- name: evidence_upload
SELECT * FROM evidence.uploads WHERE id = %(id)s AND actor = %(actor)s

-- name: evidence_lock_upload
SELECT * FROM evidence.uploads WHERE id = %(id)s AND actor = %(actor)s FOR UPDATE

-- name: evidence_add_part
INSERT INTO evidence.parts (upload_id, first_byte, sealed) VALUES (%(id)s, %(first)s, %(sealed)s)

-- name: evidence_received
UPDATE evidence.uploads SET received_bytes = %(received)s, touched_at = %(at)s WHERE id = %(id)s

-- name: evidence_next_part
SELECT first_byte, sealed FROM evidence.parts WHERE upload_id = %(id)s AND first_byte = %(first)s

-- name: evidence_drop_upload
DELETE FROM evidence.uploads WHERE id = %(id)s

-- name: evidence_drop_parts
DELETE FROM evidence.parts WHERE upload_id = %(id)s

-- name: evidence_end_upload
UPDATE evidence.uploads SET completed_at = %(at)s, touched_at = %(at)s WHERE id = %(id)s

-- name: evidence_drop_old_uploads
DELETE FROM evidence.uploads WHERE touched_at < %(before)s RETURNING completed_at

-- name: evidence_file_key
-- The key of the file, made where there is none: whoever stores the same bytes at once gets the same one.
INSERT INTO evidence.files AS f (digest, media_type, size_bytes, state, sealed_key, touched_at)
VALUES (%(digest)s, %(media_type)s, %(size_bytes)s, 'storing', %(sealed_key)s, %(at)s)
ON CONFLICT (digest) DO UPDATE SET
    sealed_key = coalesce(f.sealed_key, excluded.sealed_key),
    generation = f.generation + CASE WHEN f.sealed_key IS NULL THEN 1 ELSE 0 END,
    state = CASE WHEN f.sealed_key IS NULL THEN 'storing' ELSE f.state END,
    touched_at = excluded.touched_at
RETURNING sealed_key, generation, state

-- name: evidence_set_kept
UPDATE evidence.files
SET state = CASE WHEN state = 'kept' THEN 'kept' ELSE %(state)s END, touched_at = %(at)s
WHERE digest = %(digest)s AND generation = %(generation)s AND sealed_key IS NOT NULL
RETURNING state

-- name: evidence_link
-- What was told once for a case is not told again; what was gone and is there again is.
INSERT INTO evidence.links AS l (digest, class, case_id, subject_id, actor, role, at, untold)
VALUES (%(digest)s, %(class)s, %(case_id)s, %(subject_id)s, %(actor)s, %(role)s, %(at)s, %(untold)s)
ON CONFLICT (digest, class, case_id, subject_id) DO UPDATE SET
    at = excluded.at,
    actor = excluded.actor,
    role = excluded.role,
    gone = NULL,
    untold = coalesce(excluded.untold, CASE WHEN l.gone IS NULL THEN l.untold END)

-- name: evidence_file
SELECT * FROM evidence.files WHERE digest = %(digest)s

-- name: evidence_files
SELECT * FROM evidence.files WHERE digest = ANY(%(digests)s)

-- name: evidence_links
SELECT * FROM evidence.links WHERE digest = %(digest)s ORDER BY at

-- name: evidence_links_of_case
SELECT digest, class FROM evidence.links WHERE case_id = %(case_id)s ORDER BY at, digest

-- name: evidence_digests_from
SELECT digest FROM evidence.links WHERE case_id = %(case_id)s AND role = ANY(%(roles)s)

-- name: evidence_note
INSERT INTO evidence.reads (at, actor, role, digest) VALUES (%(at)s, %(actor)s, %(role)s, %(digest)s)

-- name: evidence_untold
SELECT l.digest, l.class, l.case_id, l.subject_id, l.gone, l.untold, f.media_type, f.size_bytes, f.state
FROM evidence.links l JOIN evidence.files f USING (digest)
WHERE l.untold IS NOT NULL AND f.state NOT IN ('storing', 'quarantined')
ORDER BY l.at
LIMIT %(most)s

-- name: evidence_untold_of
SELECT l.digest, l.class, l.case_id, l.subject_id, l.gone, l.untold, f.media_type, f.size_bytes, f.state
FROM evidence.links l JOIN evidence.files f USING (digest)
WHERE l.digest = %(digest)s AND l.untold IS NOT NULL AND f.state NOT IN ('storing', 'quarantined')

-- name: evidence_told
UPDATE evidence.links SET untold = NULL
WHERE digest = %(digest)s AND class = %(class)s AND untold = %(untold)s
  AND case_id IS NOT DISTINCT FROM %(case_id)s AND subject_id IS NOT DISTINCT FROM %(subject_id)s

-- name: evidence_old_links
-- Oldest first; whether the case still lives is looked up for each.
SELECT digest, class, case_id, subject_id, at FROM evidence.links
WHERE gone IS NULL AND class = %(class)s AND at < %(before)s
  AND (at, digest) > (%(after_at)s, %(after)s)
ORDER BY at, digest
LIMIT %(most)s

-- name: evidence_end_link
UPDATE evidence.links SET gone = 'time-is-up'
WHERE digest = %(digest)s AND class = %(class)s AND gone IS NULL AND at = %(at)s
  AND case_id IS NOT DISTINCT FROM %(case_id)s AND subject_id IS NOT DISTINCT FROM %(subject_id)s

-- name: evidence_lock_files
-- Before a statement that asks for their links: one that waited for a row would ask with what it saw before.
SELECT digest FROM evidence.files WHERE digest = ANY(%(digests)s) ORDER BY digest FOR UPDATE

-- name: evidence_destroy
-- Without a link that lives nobody needs the file. Its key goes now, its object when the object store is reached.
UPDATE evidence.files f
SET state = %(state)s, sealed_key = NULL, objects_to_delete = objects_to_delete || generation
WHERE digest = ANY(%(digests)s) AND sealed_key IS NOT NULL
  AND NOT EXISTS (SELECT FROM evidence.links l WHERE l.digest = f.digest AND l.gone IS NULL)
RETURNING digest

-- name: evidence_make_purges_untold
UPDATE evidence.links SET untold = 'purged' WHERE digest = ANY(%(digests)s)

-- name: evidence_infected
UPDATE evidence.links SET gone = 'infected' WHERE digest = %(digest)s AND gone IS NULL

-- name: evidence_erase_links
UPDATE evidence.links SET gone = 'erased' WHERE subject_id = ANY(%(ids)s::uuid[]) AND gone IS NULL
RETURNING digest

-- name: evidence_erase_uploads
DELETE FROM evidence.uploads WHERE subject_id = ANY(%(ids)s::uuid[])

-- name: evidence_to_delete
SELECT digest, generation, objects_to_delete FROM evidence.files WHERE objects_to_delete <> '{}' LIMIT %(most)s

-- name: evidence_deleted
UPDATE evidence.files SET objects_to_delete = array_remove(objects_to_delete, %(generation)s) WHERE digest = %(digest)s

-- name: evidence_waiting
SELECT * FROM evidence.files WHERE state = 'quarantined' ORDER BY touched_at LIMIT %(most)s

-- name: evidence_release
UPDATE evidence.files SET state = 'kept', touched_at = %(at)s
WHERE digest = %(digest)s AND generation = %(generation)s AND state = 'quarantined'

-- name: evidence_unfinished
-- Killed while it was stored, and nobody went on: there is no link, and there may be an object.
UPDATE evidence.files SET state = 'purged', sealed_key = NULL, objects_to_delete = objects_to_delete || generation
WHERE state = 'storing' AND touched_at < %(before)s

-- name: evidence_keys_after
SELECT digest, sealed_key FROM evidence.files
WHERE sealed_key IS NOT NULL AND digest > %(after)s
ORDER BY digest
LIMIT %(most)s

-- name: evidence_reseal
-- One that was destroyed in between stays destroyed.
UPDATE evidence.files SET sealed_key = %(sealed)s WHERE digest = %(digest)s AND sealed_key = %(before)s

-- name: evidence_upload_keys
SELECT id, sealed_key FROM evidence.uploads

-- name: evidence_reseal_upload
UPDATE evidence.uploads SET sealed_key = %(sealed)s WHERE id = %(id)s AND sealed_key = %(before)s

-- name: evidence_counts
SELECT state, count(*) AS files, coalesce(sum(size_bytes), 0)::bigint AS bytes,
       coalesce(sum(cardinality(objects_to_delete)), 0)::bigint AS to_delete
FROM evidence.files GROUP BY state ORDER BY state

-- name: evidence_upload_counts
SELECT count(*) FILTER (WHERE completed_at IS NULL) AS open,
       coalesce(sum(received_bytes) FILTER (WHERE completed_at IS NULL), 0)::bigint AS bytes,
       (SELECT count(*) FROM evidence.reads) AS reads
FROM evidence.uploads
