-- The vault: particulars of persons, sealed; who read them.

-- name: vault_search_key
SELECT search_key FROM vault.installation

-- name: vault_begin
INSERT INTO vault.installation (search_key) VALUES (%(sealed)s) ON CONFLICT (only_row) DO NOTHING

-- name: vault_reseal_search_key
UPDATE vault.installation SET search_key = %(sealed)s WHERE search_key = %(before)s

-- name: vault_add_keys
INSERT INTO vault.subject_keys (subject_id, sealed_key)
SELECT * FROM unnest(%(ids)s::uuid[], %(sealed)s::bytea[])
ORDER BY 1
ON CONFLICT (subject_id) DO NOTHING
RETURNING subject_id

-- name: vault_keys
SELECT subject_id, sealed_key FROM vault.subject_keys WHERE subject_id = ANY(%(ids)s::uuid[])

-- name: vault_put
INSERT INTO vault.subjects (subject_id, revision, sealed, phone_hash, address_hash, address_indexed)
SELECT *, true
FROM unnest(%(ids)s::uuid[], %(revisions)s::int[], %(sealed)s::bytea[], %(hashes)s::bytea[], %(addresses)s::bytea[])

-- name: vault_particulars
SELECT subject_id, revision, s.particulars, s.sealed, k.sealed_key
FROM unnest(%(ids)s::uuid[], %(revisions)s::int[]) WITH ORDINALITY AS wanted (subject_id, revision, place)
JOIN vault.subjects s USING (subject_id, revision)
LEFT JOIN vault.subject_keys k USING (subject_id)
ORDER BY place

-- name: vault_newest
-- The newest revision: a corrected address is the one to use.
SELECT subject_id, revision, s.particulars, s.sealed, k.sealed_key
FROM vault.subjects s
LEFT JOIN vault.subject_keys k USING (subject_id)
WHERE subject_id = %(id)s
ORDER BY revision DESC
LIMIT 1

-- name: vault_lock_revisions
SELECT FROM vault.subjects WHERE subject_id = %(id)s FOR UPDATE

-- name: vault_revisions
SELECT subject_id, revision, s.particulars, s.sealed, k.sealed_key
FROM vault.subjects s
LEFT JOIN vault.subject_keys k USING (subject_id)
WHERE subject_id = %(id)s
ORDER BY revision

-- name: vault_plain
SELECT subject_id, revision, particulars
FROM vault.subjects
WHERE particulars IS NOT NULL
LIMIT %(most)s
FOR UPDATE SKIP LOCKED

-- name: vault_seal_plain
UPDATE vault.subjects s
SET particulars = NULL, sealed = now_sealed.sealed, phone_hash = now_sealed.hash, address_hash = now_sealed.address,
    address_indexed = true
FROM unnest(%(ids)s::uuid[], %(revisions)s::int[], %(sealed)s::bytea[], %(hashes)s::bytea[], %(addresses)s::bytea[])
    AS now_sealed (subject_id, revision, sealed, hash, address)
WHERE s.subject_id = now_sealed.subject_id AND s.revision = now_sealed.revision

-- name: vault_addresses_due
-- Sealed before addresses were looked for.
SELECT s.subject_id, s.revision, s.particulars, s.sealed, k.sealed_key
FROM vault.subjects s
LEFT JOIN vault.subject_keys k USING (subject_id)
WHERE s.sealed IS NOT NULL AND NOT s.address_indexed
ORDER BY s.subject_id, s.revision
LIMIT %(most)s
FOR UPDATE OF s SKIP LOCKED

-- name: vault_index_addresses
UPDATE vault.subjects s
SET address_hash = now_indexed.address, address_indexed = true
FROM unnest(%(ids)s::uuid[], %(revisions)s::int[], %(addresses)s::bytea[]) AS now_indexed (subject_id, revision, address)
WHERE s.subject_id = now_indexed.subject_id AND s.revision = now_indexed.revision

-- name: vault_make_rewrite_due
UPDATE vault.installation SET rewrite_due = true

-- name: vault_rewrite_due
SELECT rewrite_due FROM vault.installation

-- name: vault_rewrite
VACUUM FULL vault.subjects, vault.subject_keys, evidence.files, evidence.uploads

-- name: vault_rewritten
UPDATE vault.installation SET rewrite_due = false

-- name: vault_keys_after
SELECT subject_id, sealed_key FROM vault.subject_keys
WHERE sealed_key IS NOT NULL AND subject_id > %(after)s
ORDER BY subject_id
LIMIT %(most)s

-- name: vault_reseal_keys
-- One that was destroyed in between stays destroyed.
UPDATE vault.subject_keys k
SET sealed_key = turned.sealed
FROM unnest(%(ids)s::uuid[], %(before)s::bytea[], %(sealed)s::bytea[]) AS turned (subject_id, before, sealed)
WHERE k.subject_id = turned.subject_id AND k.sealed_key = turned.before

-- name: vault_second_factors
SELECT actor, second_factor FROM identity.credentials WHERE second_factor IS NOT NULL

-- name: vault_reseal_second_factor
UPDATE identity.credentials SET second_factor = %(sealed)s WHERE actor = %(actor)s AND second_factor = %(before)s

-- name: vault_sealed_with
-- The key's id stands behind the first byte.
SELECT what, encode(substring(sealed FROM 2 FOR 4), 'hex') AS key, count(*) AS pieces
FROM (
    SELECT 'subjects' AS what, sealed_key AS sealed FROM vault.subject_keys WHERE sealed_key IS NOT NULL
    UNION ALL SELECT 'search', search_key FROM vault.installation
    UNION ALL SELECT 'evidence', sealed_key FROM evidence.files WHERE sealed_key IS NOT NULL
    UNION ALL SELECT 'uploads', sealed_key FROM evidence.uploads
    UNION ALL SELECT 'second-factors', second_factor FROM identity.credentials WHERE second_factor IS NOT NULL
    UNION ALL SELECT 'asked-commands', sealed FROM approvals.commands WHERE sealed IS NOT NULL
) every
GROUP BY what, key
ORDER BY what, key

-- name: vault_counts
SELECT count(*) FILTER (WHERE particulars IS NOT NULL) AS plain,
       count(*) FILTER (WHERE sealed IS NOT NULL) AS sealed,
       (SELECT count(*) FROM vault.subject_keys WHERE erased_at IS NOT NULL) AS erased,
       (SELECT count(*) FROM vault.reads) AS reads,
       (SELECT count(*) FROM vault.reads WHERE NOT masked) AS unmasked
FROM vault.subjects

-- name: vault_read
INSERT INTO vault.reads (at, actor, role, subject_id, case_id, reason, masked)
SELECT %(at)s, %(actor)s, %(role)s, id, %(case_id)s, %(reason)s, masked
FROM unnest(%(ids)s::uuid[], %(masked)s::boolean[]) AS read (id, masked)

-- name: vault_knows
SELECT EXISTS (SELECT FROM vault.subjects WHERE subject_id = %(id)s) AS known

-- name: vault_cases_of_phone
SELECT DISTINCT s.subject_id, e.originator_id AS case_id
FROM vault.subjects s
LEFT JOIN store.stored_events e
    ON vault.subject_of(e.state) = s.subject_id::text AND vault.names_a_person(e.topic)
WHERE s.phone_hash = %(hash)s
ORDER BY s.subject_id, e.originator_id
LIMIT %(most)s

-- name: vault_cases_of_address
SELECT DISTINCT s.subject_id, e.originator_id AS case_id
FROM vault.subjects s
LEFT JOIN store.stored_events e
    ON vault.subject_of(e.state) = s.subject_id::text AND vault.names_a_person(e.topic)
WHERE s.address_hash = %(hash)s
ORDER BY s.subject_id, e.originator_id
LIMIT %(most)s

-- name: vault_erase_keys
INSERT INTO vault.subject_keys (subject_id, sealed_key, erased_at)
SELECT id, NULL, clock_timestamp() FROM unnest(%(ids)s::uuid[]) AS erased (id)
ON CONFLICT (subject_id) DO UPDATE SET sealed_key = NULL, erased_at = excluded.erased_at
WHERE subject_keys.erased_at IS NULL

-- name: vault_erase_rows
UPDATE vault.subjects SET particulars = NULL, sealed = NULL, phone_hash = NULL, address_hash = NULL
WHERE subject_id = ANY(%(ids)s::uuid[])

-- name: vault_erased_before
-- Erased by the events, and back since: the vault comes from an older backup than the events.
SELECT DISTINCT s.subject_id
FROM store.stored_events e
JOIN vault.subjects s ON s.subject_id = e.originator_id
WHERE e.topic = 'water.office.SubjectErased.v1'
  AND (s.sealed IS NOT NULL OR s.particulars IS NOT NULL OR s.phone_hash IS NOT NULL OR s.address_hash IS NOT NULL)
UNION
SELECT l.subject_id
FROM store.stored_events e
JOIN evidence.links l ON l.subject_id = e.originator_id
WHERE e.topic = 'water.office.SubjectErased.v1' AND l.gone IS NULL

-- name: vault_events_to_screen
-- The number by which people know the case, where the read models have it.
SELECT e.notification_id AS position, e.originator_id AS case_id, e.topic, e.state, c.case_number
FROM store.stored_events e
LEFT JOIN views.cases c ON c.case_id = e.originator_id
WHERE e.notification_id > %(after)s
ORDER BY e.notification_id
LIMIT %(most)s
