-- Alerts to staff: raised and closed with the facts, told by a sender.

-- name: alerts_raise
INSERT INTO outbox.alerts (id, case_id, version, case_number, mass, change, commitment, lapse, step, due_at, roles, ways,
    urgent, raised_at, expanded)
SELECT id, case_id, version, case_number, mass, change, commitment, lapse, step, due_at, roles, ways, urgent, raised_at,
    expanded
FROM jsonb_populate_recordset(NULL::outbox.alerts, %(rows)s)
ON CONFLICT (id) DO NOTHING

-- name: alerts_close
-- Only what was raised before; of several causes the weightiest counts.
WITH closing AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS c (
        case_id uuid, version bigint, commitment text, cause text, rank int, only_change text, lapse int, step text,
        due_at timestamptz, by text, at timestamptz)
), found AS (
    SELECT DISTINCT ON (alert.id) alert.id, closing.cause, closing.rank, closing.by, closing.at
    FROM outbox.alerts AS alert
    JOIN closing ON closing.case_id = alert.case_id AND closing.commitment = alert.commitment
        AND alert.version < closing.version AND closing.rank > alert.rank
        AND (closing.only_change IS NULL OR closing.only_change = alert.change)
        AND (closing.lapse IS NULL OR closing.lapse = alert.lapse)
        AND (closing.step IS NULL OR closing.step = alert.step)
        AND (closing.due_at IS NULL OR closing.due_at = alert.due_at)
    ORDER BY alert.id, closing.rank DESC, closing.version
)
UPDATE outbox.alerts AS alert
SET cause = found.cause, rank = found.rank, closed_by = found.by, closed_at = found.at, to_settle = true
FROM found
WHERE alert.id = found.id

-- name: alerts_lock
-- One sender at a time plans; the others deliver meanwhile.
SELECT pg_try_advisory_xact_lock(hashtext('tongshui alerts')) AS ours

-- name: alerts_expand
WITH fresh AS (
    SELECT id, change, roles, ways FROM outbox.alerts WHERE NOT expanded ORDER BY raised_at LIMIT %(most)s FOR UPDATE
), told AS (
    INSERT INTO outbox.tellings (alert_id, role, way, change, state)
    SELECT fresh.id, role, way, fresh.change,
           CASE WHEN role || ' ' || way = ANY(%(reachable)s) THEN 'waiting' ELSE 'unreachable' END
    FROM fresh, unnest(fresh.roles) AS role, unnest(fresh.ways) AS way
    WHERE way <> 'page'
    ON CONFLICT DO NOTHING
)
UPDATE outbox.alerts AS alert SET expanded = true FROM fresh WHERE alert.id = fresh.id

-- name: alerts_to_settle
SELECT id FROM outbox.alerts WHERE to_settle AND expanded ORDER BY closed_at LIMIT %(most)s FOR UPDATE

-- name: alerts_withdraw_waiting
UPDATE outbox.tellings SET state = 'withdrawn' WHERE alert_id = ANY(%(ids)s::uuid[]) AND state = 'waiting'

-- name: alerts_withdraw_messages
-- A message that nobody is sending just now and that tells of nothing that is still open.
WITH gone AS (
    UPDATE outbox.messages AS message SET state = 'withdrawn', recorded = true
    FROM outbox.tellings AS telling
    WHERE telling.alert_id = ANY(%(ids)s::uuid[]) AND telling.state = 'made' AND message.id = telling.message_id
      AND message.state = 'waiting' AND message.leased_until < clock_timestamp()
      AND NOT EXISTS (SELECT 1 FROM outbox.tellings AS other
                      WHERE other.message_id = message.id AND NOT other.alert_id = ANY(%(ids)s::uuid[]))
    RETURNING message.id
)
UPDATE outbox.tellings SET state = 'withdrawn' FROM gone WHERE message_id = gone.id

-- name: alerts_correct
INSERT INTO outbox.tellings (alert_id, role, way, change, state)
SELECT telling.alert_id, telling.role, telling.way, alert.cause, 'waiting'
FROM outbox.tellings AS telling
JOIN outbox.alerts AS alert ON alert.id = telling.alert_id AND alert.change = telling.change
JOIN outbox.messages AS message ON message.id = telling.message_id AND message.state IN ('sent', 'proven')
WHERE telling.alert_id = ANY(%(ids)s::uuid[]) AND telling.state = 'made' AND alert.rank >= %(corrected_from)s
ON CONFLICT DO NOTHING

-- name: alerts_settled
-- What is just being sent, or shares its message, is looked at again.
UPDATE outbox.alerts AS alert SET to_settle = false
WHERE alert.id = ANY(%(ids)s::uuid[])
  AND NOT EXISTS (SELECT 1 FROM outbox.tellings AS telling JOIN outbox.messages AS message ON message.id = telling.message_id
                  WHERE telling.alert_id = alert.id AND telling.state = 'made' AND message.state = 'waiting')

-- name: alerts_waiting
SELECT alert.id AS alert, telling.role, telling.way, telling.change, alert.case_id, alert.case_number, alert.commitment,
    alert.step, alert.due_at, alert.urgent, alert.mass, alert.version, alert.raised_at
FROM outbox.tellings AS telling JOIN outbox.alerts AS alert ON alert.id = telling.alert_id
WHERE telling.state = 'waiting' AND telling.not_before <= %(now)s AND NOT alert.to_settle
ORDER BY telling.not_before, alert.raised_at
LIMIT %(most)s

-- name: alerts_made
SELECT audience[1] AS role, way, made_at AS at, grouped AS "group"
FROM outbox.messages WHERE made_at > %(since)s

-- name: alerts_put_messages
INSERT INTO outbox.messages (id, case_id, kind, way, title, text, digest, audience, about, made_at, grouped)
SELECT id, case_id, kind, way, title, text, digest, audience, about, made_at, grouped
FROM jsonb_populate_recordset(NULL::outbox.messages, %(rows)s)

-- name: alerts_tell
UPDATE outbox.tellings AS telling SET state = 'made', message_id = said.message_id
FROM jsonb_to_recordset(%(rows)s) AS said (alert uuid, role text, way text, change text, message_id uuid)
WHERE telling.alert_id = said.alert AND telling.role = said.role AND telling.way = said.way
  AND telling.change = said.change

-- name: alerts_hold
UPDATE outbox.tellings AS telling SET not_before = held.until
FROM jsonb_to_recordset(%(rows)s) AS held (alert uuid, role text, way text, change text, until timestamptz)
WHERE telling.alert_id = held.alert AND telling.role = held.role AND telling.way = held.way
  AND telling.change = held.change

-- name: alerts_withdrawn
SELECT alert.id AS alert, alert.case_id, alert.commitment, telling.change, alert.cause,
    array_agg(telling.role ORDER BY telling.role, telling.way) AS roles,
    array_agg(telling.way ORDER BY telling.role, telling.way) AS ways
FROM outbox.tellings AS telling JOIN outbox.alerts AS alert ON alert.id = telling.alert_id
WHERE telling.state = 'withdrawn' AND NOT telling.recorded
GROUP BY alert.id, telling.change
LIMIT %(most)s

-- name: alerts_withdrawal_recorded
UPDATE outbox.tellings SET recorded = true
WHERE alert_id = %(alert)s AND change = %(change)s AND state = 'withdrawn'

-- name: alerts_list
-- The page: open ones first raised first; with all, the latest first.
SELECT alert.id, alert.case_id, alert.case_number, alert.mass, alert.change, alert.commitment, alert.lapse, alert.step,
    alert.due_at, alert.roles, alert.urgent, alert.raised_at, alert.cause, alert.closed_by, alert.closed_at,
    coalesce((
        SELECT jsonb_agg(jsonb_build_object('role', telling.role, 'way', telling.way, 'change', telling.change,
            'state', CASE telling.state WHEN 'made' THEN coalesce(message.state, 'waiting') ELSE telling.state END,
            'grouped', message.grouped IS NOT NULL)
            ORDER BY telling.role, telling.way, telling.change)
        FROM outbox.tellings AS telling LEFT JOIN outbox.messages AS message ON message.id = telling.message_id
        WHERE telling.alert_id = alert.id), '[]'::jsonb) AS tellings
FROM outbox.alerts AS alert
WHERE (%(role)s::text IS NULL OR %(role)s = ANY(alert.roles)) AND (NOT %(open)s OR alert.rank = 0)
  AND (%(case_id)s::uuid IS NULL OR alert.case_id = %(case_id)s)
  AND (NOT %(bound)s::boolean OR views.within(alert.case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
ORDER BY CASE WHEN %(open)s THEN alert.raised_at END, alert.raised_at DESC, alert.case_number, alert.version
LIMIT %(limit)s
