-- Commands that wait for a second person. Actors stand in their canonical form; times are the service's.

-- name: approvals_keep
INSERT INTO approvals.commands (id, asker, asked_role, asked_actor, asked_at, expires_at, sealed)
VALUES (%(id)s, %(asker)s, %(asked_role)s, %(asked_actor)s, %(asked_at)s, %(expires_at)s, %(sealed)s)
ON CONFLICT (id) DO NOTHING

-- name: approvals_command
SELECT sealed FROM approvals.commands WHERE id = %(id)s

-- name: approvals_forget
UPDATE approvals.commands SET sealed = NULL WHERE id = %(id)s

-- What somebody asked for or is asked, newest first.
-- name: approvals_of
SELECT id
FROM approvals.commands
WHERE asker = %(actor)s OR asked_actor = %(actor)s OR asked_role = ANY(%(roles)s)
ORDER BY asked_at DESC, id
LIMIT %(most)s

-- name: approvals_due
SELECT id FROM approvals.commands WHERE sealed IS NOT NULL AND expires_at <= %(at)s ORDER BY expires_at LIMIT %(most)s

-- name: approvals_sealed
SELECT id, sealed FROM approvals.commands WHERE sealed IS NOT NULL

-- name: approvals_reseal
UPDATE approvals.commands SET sealed = %(sealed)s WHERE id = %(id)s AND sealed = %(before)s
