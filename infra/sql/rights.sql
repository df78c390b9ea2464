-- Requests of persons about their particulars, and what is told to them.

-- name: rights_requests
-- The oldest first: what is due next stands at the top. subjects null: whoever asks.
SELECT r.originator_id AS id
FROM store.stored_events r
WHERE r.topic = 'water.office.RightsRequestReceived.v1'
  AND (%(subjects)s::text[] IS NULL
       OR convert_from(r.state, 'UTF8')::jsonb #> '{data,subjects}' ?| %(subjects)s::text[])
  AND (NOT %(open)s OR NOT EXISTS (
      SELECT FROM store.stored_events e
      WHERE e.originator_id = r.originator_id
        AND e.topic IN ('water.office.RightsRequestRefused.v1', 'water.office.RightsRequestDone.v1')
  ))
ORDER BY r.notification_id
LIMIT %(most)s

-- name: rights_cases
SELECT DISTINCT e.originator_id AS case_id
FROM store.stored_events e
WHERE vault.subject_of(e.state) = %(subject)s AND vault.names_a_person(e.topic)
ORDER BY case_id

-- name: rights_reads
SELECT at, role, case_id, reason, masked FROM vault.reads WHERE subject_id = %(subject)s ORDER BY id DESC LIMIT %(most)s

-- name: rights_files
SELECT l.digest, l.class, f.media_type, f.size_bytes, l.at
FROM evidence.links l
JOIN evidence.files f USING (digest)
WHERE l.subject_id = %(subject)s AND l.gone IS NULL
ORDER BY l.at, l.digest
