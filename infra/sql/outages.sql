-- Outages, as lists and as figures.

-- name: list_outages
SELECT case_id, case_number, state, kind, incident, districts, affected_users, announced_at, begin_at, end_at,
       started_at, restored_at, cancelled_at, first_notice_at, reported_at, notices, proven, failed, water_litres
FROM (
    SELECT *, CASE WHEN restored_at IS NOT NULL THEN 'over' WHEN started_at IS NOT NULL THEN 'running'
                   WHEN cancelled_at IS NOT NULL THEN 'cancelled' ELSE 'planned' END AS state
    FROM views.outages
) found
WHERE (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(district)s::text IS NULL OR %(district)s = ANY(districts))
ORDER BY array_position(ARRAY['running', 'planned', 'over', 'cancelled'], state),
         CASE WHEN state = 'planned' THEN begin_at END, announced_at DESC, case_id
LIMIT %(limit)s

-- name: outages_around
-- Planned outages of these districts that were to be off within the period; one that was off all the same was not cancelled.
SELECT case_id
FROM views.outages
WHERE kind = 'planned' AND (cancelled_at IS NULL OR started_at IS NOT NULL)
  AND districts && %(districts)s::text[] AND begin_at < %(until)s AND end_at > %(since)s
ORDER BY announced_at DESC, case_id
LIMIT 200

-- name: figures_outages
-- Outages belong to the period in which water went off, or was to.
SELECT count(*) FILTER (WHERE kind = 'planned' AND started_at IS NOT NULL) AS planned,
       count(*) FILTER (WHERE kind = 'emergency') AS emergency,
       count(*) FILTER (WHERE kind = 'unannounced') AS unannounced,
       count(*) FILTER (WHERE kind = 'planned' AND started_at IS NULL AND cancelled_at IS NOT NULL) AS cancelled,
       coalesce(sum(affected_users) FILTER (WHERE started_at IS NOT NULL), 0)::bigint AS affected_users,
       count(*) FILTER (WHERE started_at IS NOT NULL AND notices > 0) AS noticed,
       coalesce(sum(water_litres), 0)::bigint AS water_litres
FROM views.outages
WHERE (%(since)s::timestamptz IS NULL OR coalesce(started_at, begin_at) >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR coalesce(started_at, begin_at) < %(until)s)

-- name: figures_outage_spells
-- Whatever was off at some instant of the period; the part outside it is cut off by who counts.
SELECT started_at, restored_at, affected_users
FROM views.outages
WHERE started_at IS NOT NULL
  AND (%(since)s::timestamptz IS NULL OR coalesce(restored_at, 'infinity') > %(since)s)
  AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)
