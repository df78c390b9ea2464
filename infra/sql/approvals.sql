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

-- How many wait for an answer of somebody: by their events, of which the second decides.
-- name: approvals_waiting
SELECT count(*) AS waiting
FROM approvals.commands AS asked
WHERE (asked.asked_actor = %(actor)s OR asked.asked_role = ANY(%(roles)s)) AND asked.asker <> %(actor)s
  AND asked.sealed IS NOT NULL AND asked.expires_at > %(at)s
  AND EXISTS (SELECT 1 FROM store.stored_events WHERE originator_id = asked.id AND originator_version = 1)
  AND NOT EXISTS (SELECT 1 FROM store.stored_events WHERE originator_id = asked.id AND originator_version = 2)

-- Requests that wait and of which somebody is to be told, or told once more.
-- name: approvals_to_tell
SELECT id, asked_role, asked_actor, asked_at, expires_at, told_at, reminded_at
FROM approvals.commands AS asked
WHERE sealed IS NOT NULL AND expires_at > %(at)s
  AND (told_at IS NULL
       OR reminded_at IS NULL AND %(minutes)s > 0
          AND %(at)s >= greatest(asked_at + (expires_at - asked_at) / 2, expires_at - make_interval(mins => %(minutes)s)))
  AND EXISTS (SELECT 1 FROM store.stored_events WHERE originator_id = asked.id AND originator_version = 1)
  AND NOT EXISTS (SELECT 1 FROM store.stored_events WHERE originator_id = asked.id AND originator_version = 2)
ORDER BY expires_at
LIMIT %(most)s
FOR UPDATE SKIP LOCKED

-- name: approvals_put_messages
INSERT INTO outbox.messages (id, kind, way, title, text, digest, audience, about)
SELECT id, kind, way, title, text, digest, audience, about
FROM jsonb_populate_recordset(NULL::outbox.messages, %(rows)s)
ON CONFLICT (id) DO NOTHING

-- name: approvals_told
UPDATE approvals.commands
SET told_at = coalesce(told_at, %(at)s), reminded_at = CASE WHEN %(reminded)s THEN %(at)s ELSE reminded_at END
WHERE id = %(id)s

-- A message that nobody is sending just now, about a request that waits no more.
-- name: approvals_withdraw_messages
UPDATE outbox.messages AS message SET state = 'withdrawn', recorded = true
WHERE message.kind = %(kind)s AND message.state = 'waiting' AND message.leased_until < clock_timestamp()
  AND NOT EXISTS (
      SELECT 1 FROM approvals.commands AS asked
      WHERE asked.id = (message.about ->> 'approval')::uuid AND asked.expires_at > %(at)s
        AND NOT EXISTS (SELECT 1 FROM store.stored_events WHERE originator_id = asked.id AND originator_version = 2))
