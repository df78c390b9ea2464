-- The indicators of each month and district. A month is a civil month in China; since and until are the instants that
-- bound the period. Each case counts once for the whole city (district null) and once for each district that it names.

-- name: indicators_connections
-- Applications by the month in which they were received. Money is of those that have water everywhere.
SELECT month, district, count(*)::bigint AS applications,
       count(*) FILTER (WHERE water_on_at IS NOT NULL) AS water_on,
       count(*) FILTER (WHERE water_on_at IS NOT NULL AND on_time) AS on_time,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY gross_minutes) AS gross_minutes,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY net_minutes) AS net_minutes,
       avg(appearances)::float8 AS trips,
       (avg(paid_fen - refunded_fen) FILTER (WHERE water_on_at IS NOT NULL))::float8 AS paid_fen
FROM (
    SELECT c.*, to_char(c.received_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, place.district
    FROM views.connections c
    JOIN views.cases v USING (case_id)
    CROSS JOIN LATERAL (SELECT NULL::text AS district UNION ALL SELECT DISTINCT unnest(v.districts)) place
    WHERE c.received_at >= %(since)s AND c.received_at < %(until)s
) told
GROUP BY month, district
ORDER BY month, district NULLS FIRST

-- name: indicators_repairs
-- Incidents by the month of their first report. A lapse that stands is late whatever came after it. What was merged is
-- counted with the incident that it goes on in.
SELECT month, district, count(*)::bigint AS incidents,
       count(*) FILTER (WHERE arrival = 'on_time') AS arrival_on_time,
       count(*) FILTER (WHERE arrival = 'late') AS arrival_late,
       count(*) FILTER (WHERE completion = 'on_time') AS completion_on_time,
       count(*) FILTER (WHERE completion = 'late') AS completion_late,
       count(*) FILTER (WHERE answer = 'on_time') AS answer_on_time,
       count(*) FILTER (WHERE answer = 'late') AS answer_late,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY arrival_minutes) AS arrival_minutes
FROM (
    SELECT to_char(c.opened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, place.district,
           CASE WHEN a.lapses > 0 THEN 'late' WHEN a.state = 'met' THEN 'on_time' END AS arrival,
           CASE WHEN d.lapses > 0 THEN 'late' WHEN d.state = 'met' THEN 'on_time' END AS completion,
           CASE WHEN r.lapses > 0 THEN 'late' WHEN r.state = 'met' THEN 'on_time' END AS answer,
           extract(epoch FROM a.met_at - a.opened_at)::float8 / 60 AS arrival_minutes
    FROM views.cases c
    LEFT JOIN views.windows a ON a.case_id = c.case_id AND a.commitment = 'repair.arrival'
    LEFT JOIN views.windows d ON d.case_id = c.case_id AND d.commitment = 'repair.completion'
    LEFT JOIN views.windows r ON r.case_id = c.case_id AND r.commitment = 'repair.answer'
    CROSS JOIN LATERAL (SELECT NULL::text AS district UNION ALL SELECT c.district) place
    WHERE c.family = 'repair' AND c.stage <> 'merged' AND c.opened_at >= %(since)s AND c.opened_at < %(until)s
) told
GROUP BY month, district
ORDER BY month, district NULLS FIRST

-- name: indicators_outages
-- Outages by the month in which the water went off.
SELECT to_char(o.started_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, place.district,
       count(*)::bigint AS outages, count(*) FILTER (WHERE o.notices > 0) AS noticed
FROM views.outages o
CROSS JOIN LATERAL (SELECT NULL::text AS district UNION ALL SELECT DISTINCT unnest(o.districts)) place
WHERE o.started_at >= %(since)s AND o.started_at < %(until)s
GROUP BY 1, 2
ORDER BY 1, 2 NULLS FIRST

-- name: indicators_windows
-- A promise of cases that name no district (orders of other bodies, reading rounds), by the month in which they began.
SELECT to_char(c.opened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month, w.commitment,
       count(*)::bigint AS cases,
       count(*) FILTER (WHERE w.lapses = 0 AND w.state = 'met') AS on_time,
       count(*) FILTER (WHERE w.lapses > 0) AS late
FROM views.cases c
JOIN views.windows w USING (case_id)
WHERE w.commitment IN ('order.reply', 'book.read') AND c.opened_at >= %(since)s AND c.opened_at < %(until)s
GROUP BY 1, 2
ORDER BY 1, 2

-- name: indicators_complaints
-- Complaints by the month in which they were made, from the events: they are in no read model.
SELECT to_char((convert_from(state, 'UTF8')::jsonb ->> 'time')::timestamptz AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') AS month,
       count(*)::bigint AS complaints
FROM store.stored_events
WHERE topic = 'water.office.ComplaintMade.v1'
  AND (convert_from(state, 'UTF8')::jsonb ->> 'time')::timestamptz >= %(since)s
  AND (convert_from(state, 'UTF8')::jsonb ->> 'time')::timestamptz < %(until)s
GROUP BY 1
ORDER BY 1

-- name: indicators_position
-- The newest event that the list of cases has.
SELECT coalesce(max(position), 0)::bigint AS position FROM views.cases
