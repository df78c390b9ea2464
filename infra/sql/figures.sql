-- What the utility can count about its own service. Every query takes the same two bounds: instants, from included, until
-- not; null is no bound. Applications belong to the period in which they were received.

-- name: figures_applications
SELECT category, channel, coalesce(basis, 'not-admitted') AS basis, count(*)::bigint AS applications
FROM views.connections
WHERE (%(since)s::timestamptz IS NULL OR received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: figures_outcomes
SELECT CASE WHEN water_on_at IS NOT NULL THEN 'water_on' ELSE coalesce(stopped, 'open') END AS outcome,
       count(*)::bigint AS applications
FROM views.connections
WHERE (%(since)s::timestamptz IS NULL OR received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
GROUP BY 1
ORDER BY 1

-- name: figures_channels
-- A commitment counts once it was decided: one that is still running, or fell away with its case, is neither.
SELECT channel,
       count(*) FILTER (WHERE promise <> 'none') AS made,
       count(*) FILTER (WHERE promise = 'kept') AS kept,
       count(*) FILTER (WHERE promise IN ('broken', 'repaired')) AS broken,
       count(*) FILTER (WHERE promise = 'repaired') AS repaired,
       count(*) FILTER (WHERE appearances = 0) AS no_trip,
       count(*) FILTER (WHERE appearances = 1) AS one_trip,
       count(*) FILTER (WHERE appearances > 1) AS more_trips,
       count(*) FILTER (WHERE excess_trips > 0) AS too_many_trips
FROM views.connections
WHERE (%(since)s::timestamptz IS NULL OR received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
GROUP BY channel
ORDER BY channel

-- name: figures_service
SELECT count(*) FILTER (WHERE basis = 'papers-outstanding') AS papers_outstanding,
       count(*) FILTER (WHERE basis = 'papers-outstanding' AND visits_made > 0) AS papers_outstanding_at_home,
       count(*) FILTER (WHERE declined) AS outstanding_declined,
       count(*) FILTER (WHERE on_site_approval) AS approved_on_site,
       count(*) FILTER (WHERE water_on_at IS NOT NULL) AS water_on,
       count(*) FILTER (WHERE water_on_at IS NOT NULL AND on_time) AS on_time,
       count(*) FILTER (WHERE lapses > 0) AS lapsed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY gross_minutes) AS gross_median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY gross_minutes) AS gross_p90,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY net_minutes) AS net_median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY net_minutes) AS net_p90,
       coalesce(sum(charges_refused), 0)::bigint AS charges_refused,
       coalesce(sum(further_requests_refused), 0)::bigint AS further_requests_refused,
       coalesce(sum(quoted_fen), 0)::bigint AS quoted_fen,
       coalesce(sum(paid_fen), 0)::bigint AS paid_fen,
       coalesce(sum(refunded_fen), 0)::bigint AS refunded_fen
FROM views.connections
WHERE (%(since)s::timestamptz IS NULL OR received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)

-- name: figures_pauses
SELECT pause.value ->> 'reason' AS reason, count(*)::bigint AS pauses
FROM views.connections
CROSS JOIN LATERAL jsonb_each(pauses) AS pause
WHERE (%(since)s::timestamptz IS NULL OR received_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)
  AND (pause.value ->> 'approved')::boolean AND NOT (pause.value ->> 'revoked')::boolean
GROUP BY 1
ORDER BY 1

-- name: figures_visits
SELECT count(*) AS visits, count(DISTINCT case_id) AS users
FROM views.visits
WHERE state = 'made'
  AND (%(since)s::timestamptz IS NULL OR made_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR made_at < %(until)s)

-- name: figures_ahead
SELECT count(*) FILTER (WHERE kind = 'consultation') AS consultations,
       count(*) FILTER (WHERE kind = 'preservice') AS preservices,
       count(*) FILTER (WHERE kind = 'preservice' AND given_at IS NOT NULL) AS preservices_given
FROM views.ahead
WHERE (%(since)s::timestamptz IS NULL OR asked_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR asked_at < %(until)s)

-- name: figures_works
SELECT kind, count(*) AS works, count(*) FILTER (WHERE completed_at IS NOT NULL) AS completed,
       count(DISTINCT community) FILTER (WHERE completed_at IS NOT NULL) AS communities,
       coalesce(sum(households_served), 0)::bigint AS households
FROM views.works
WHERE (%(since)s::timestamptz IS NULL OR coalesce(completed_at, registered_at) >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR coalesce(completed_at, registered_at) < %(until)s)
GROUP BY kind
ORDER BY kind

-- name: figures_incidents
-- A lapse that stands is late whatever came after it. An answer is owed once the work is done: null until then. What was
-- merged is counted with the incident that it goes on in.
SELECT c.channel, c.kind, c.district, c.open,
       coalesce(c.first_severity, 'unassessed') AS first_severity, coalesce(c.severity, 'unassessed') AS severity,
       CASE WHEN a.lapses > 0 THEN 'late' WHEN a.state = 'met' THEN 'on_time' ELSE a.state END AS arrival,
       CASE WHEN d.lapses > 0 THEN 'late' WHEN d.state = 'met' THEN 'on_time' ELSE d.state END AS completion,
       CASE WHEN r.lapses > 0 THEN 'late' WHEN r.state = 'met' THEN 'on_time' ELSE r.state END AS answer,
       count(*)::bigint AS cases, sum(c.reports)::bigint AS reports
FROM views.cases c
LEFT JOIN views.windows a ON a.case_id = c.case_id AND a.commitment = 'repair.arrival'
LEFT JOIN views.windows d ON d.case_id = c.case_id AND d.commitment = 'repair.completion'
LEFT JOIN views.windows r ON r.case_id = c.case_id AND r.commitment = 'repair.answer'
WHERE c.family = 'repair' AND c.stage <> 'merged'
  AND (%(since)s::timestamptz IS NULL OR c.opened_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR c.opened_at < %(until)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9

-- name: figures_completion_minutes
-- Of a major repair, which has no end limit, until water flows. From the first report: the promise to be there opens with
-- it, also where one that was made earlier was linked or merged later than the incident began.
SELECT coalesce(c.severity, 'unassessed') AS severity,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY m.minutes) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY m.minutes) AS p90
FROM views.cases c
JOIN views.windows d ON d.case_id = c.case_id
 AND d.commitment = CASE c.severity WHEN 'major' THEN 'repair.continuity' ELSE 'repair.completion' END
JOIN views.windows a ON a.case_id = c.case_id AND a.commitment = 'repair.arrival'
CROSS JOIN LATERAL (SELECT extract(epoch FROM d.met_at - a.opened_at)::float8 / 60 AS minutes) m
WHERE c.family = 'repair' AND d.met_at IS NOT NULL
  AND (%(since)s::timestamptz IS NULL OR c.opened_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR c.opened_at < %(until)s)
GROUP BY 1

-- name: figures_arrival_minutes
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY m.minutes) AS median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY m.minutes) AS p90
FROM views.cases c
JOIN views.windows a ON a.case_id = c.case_id AND a.commitment = 'repair.arrival'
CROSS JOIN LATERAL (SELECT extract(epoch FROM a.met_at - a.opened_at)::float8 / 60 AS minutes) m
WHERE c.family = 'repair' AND a.met_at IS NOT NULL
  AND (%(since)s::timestamptz IS NULL OR c.opened_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR c.opened_at < %(until)s)

-- name: figures_orders
SELECT CASE WHEN w.lapses > 0 THEN 'late' WHEN w.state = 'met' THEN 'on_time' ELSE w.state END AS reply,
       count(*)::bigint AS cases
FROM views.cases c
JOIN views.windows w ON w.case_id = c.case_id AND w.commitment = 'order.reply'
WHERE c.family = 'order'
  AND (%(since)s::timestamptz IS NULL OR c.opened_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR c.opened_at < %(until)s)
GROUP BY 1

-- name: list_works
SELECT number, kind, community, name_zh, registered_at, started_at, completed_at, households_served
FROM views.works
ORDER BY coalesce(completed_at, started_at, registered_at) DESC, number
LIMIT %(limit)s

-- name: list_charges
-- The limit counts charges, each of which comes with all its lines. A reversal takes back every line of the payment or
-- refund that it names: it is shown line by line, with their amounts.
SELECT c.case_number, line.case_id, c.category, line.kind, line.number, coalesce(line.fee, taken.fee) AS fee,
       line.quantity, coalesce(line.amount_fen, taken.amount_fen) AS amount_fen, line.catalogue, line.banned, line.why,
       line.reason, line.actor, line.role, line.happened_at, line.recorded_at, line.position
FROM views.charges line
LEFT JOIN views.charges taken
  ON taken.case_id = line.case_id AND taken.number = line.number
 AND taken.kind = CASE line.kind WHEN 'payment-reversed' THEN 'paid' WHEN 'refund-reversed' THEN 'refunded' END
LEFT JOIN views.connections c ON c.case_id = line.case_id
WHERE line.position IN (
    SELECT DISTINCT position
    FROM views.charges
    WHERE (%(since)s::timestamptz IS NULL OR happened_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR happened_at < %(until)s)
      AND (%(kind)s::text IS NULL OR kind = %(kind)s)
      AND position > %(after)s
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY position
    LIMIT %(limit)s
)
ORDER BY line.position, line.line, taken.line

-- name: sum_charges
SELECT line.kind, count(*) AS lines, coalesce(sum(coalesce(line.amount_fen, taken.amount_fen)), 0)::bigint AS amount_fen
FROM views.charges line
LEFT JOIN views.charges taken
  ON taken.case_id = line.case_id AND taken.number = line.number
 AND taken.kind = CASE line.kind WHEN 'payment-reversed' THEN 'paid' WHEN 'refund-reversed' THEN 'refunded' END
WHERE (%(since)s::timestamptz IS NULL OR line.happened_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR line.happened_at < %(until)s)
  AND (%(kind)s::text IS NULL OR line.kind = %(kind)s)
  AND (NOT %(bound)s::boolean OR views.within(line.case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
GROUP BY line.kind
ORDER BY line.kind

-- name: list_visits
-- Visits that are booked and begin before an instant, the next one first; late ones are among them.
SELECT s.case_id, c.case_number, c.category, v.stage, v.version, s.visit, s.squad, s.purpose, s.begin_at, s.end_at
FROM views.visits s
JOIN views.connections c USING (case_id)
JOIN views.cases v USING (case_id)
WHERE s.state = 'booked' AND v.open AND s.begin_at < %(until)s
  AND (%(squad)s::text IS NULL OR s.squad = %(squad)s)
  AND (NOT %(bound)s::boolean OR views.within(s.case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
ORDER BY s.begin_at, s.visit
LIMIT %(limit)s

-- name: list_desk
-- Applications under way, the one due next first; those without an end (a notice given, a suspended case) come last.
SELECT c.case_id, c.case_number, c.category, c.channel, c.desk, c.owner, v.stage, c.supply_points, c.points_on,
       c.received_at, c.admitted_at, c.promise, v.version,
       w.due_at, w.tentative, coalesce(w.state, 'none') AS state, coalesce(w.lapses, 0) AS lapses
FROM views.connections c
JOIN views.cases v USING (case_id)
LEFT JOIN views.windows w ON w.case_id = c.case_id AND w.commitment = 'connection.water_on'
WHERE v.open
  AND (%(desk)s::text IS NULL OR c.desk = %(desk)s) AND (%(owner)s::text IS NULL OR c.owner = %(owner)s)
  AND (NOT %(bound)s::boolean OR views.within(c.case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
ORDER BY w.state = 'cancelled', w.due_at NULLS LAST, c.received_at, c.case_id
LIMIT %(limit)s
