-- Open deadlines that a calendar decides, and how far they have been brought to the newest rules.

-- name: windows_read_to
-- The position that the read model of windows has reached on every partition of a topic; 0 where one has no place yet.
SELECT CASE WHEN count(*) >= %(partitions)s THEN min(position) ELSE 0 END AS position
FROM views.places WHERE reader = 'windows' AND topic = %(topic)s

-- name: deadlines_by_calendar
SELECT DISTINCT case_id FROM views.windows
WHERE calendar IS NOT NULL AND state IN ('running', 'lapsed') AND family = %(family)s
  AND NOT calendar = ANY(%(newest)s) AND case_id > %(after)s
ORDER BY case_id LIMIT %(most)s

-- name: windows_since
SELECT DISTINCT originator_id AS case_id FROM store.stored_events
WHERE notification_id > %(after)s AND topic LIKE %(like)s
ORDER BY originator_id

-- name: windows_citing_otherwise
-- Open windows, and their cases, whose promise or counting in days rests on other articles by another law: those that
-- began in one of the stretches. A stretch without a commitment is of everything that is counted in days.
SELECT count(DISTINCT (windows.case_id, windows.commitment)) AS windows, count(DISTINCT windows.case_id) AS cases
FROM views.windows
JOIN unnest(%(commitments)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[])
     AS said (commitment, since, until)
  ON said.commitment = windows.commitment OR (said.commitment IS NULL AND windows.calendar IS NOT NULL)
WHERE windows.state IN ('running', 'lapsed') AND windows.opened_at >= said.since
  AND (said.until IS NULL OR windows.opened_at < said.until)

-- name: moved_by_calendar
SELECT count(*) AS moved FROM store.stored_events
WHERE notification_id > %(after)s AND topic LIKE 'water.%%.WindowMoved.v1'
  AND convert_from(state, 'UTF8')::jsonb #>> '{data,cause}' = 'calendar'

-- name: recompute_state
SELECT rules_position, looked_at, moved, finished_at FROM watch.recompute

-- name: recompute_done
UPDATE watch.recompute
SET rules_position = %(rules_position)s, looked_at = %(looked_at)s, moved = %(moved)s, finished_at = %(finished_at)s
WHERE rules_position < %(rules_position)s
