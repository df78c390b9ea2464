-- What the API reads from the read models.

-- name: list_cases
SELECT case_id, family, case_number, kind, category, channel, district, zone, crew, severity, stage, open, opened_at,
       supply_points, points_on, reports, flags, version, position, mass
FROM views.cases
WHERE (%(family)s::text IS NULL OR family = %(family)s::text)
  AND (%(open)s::boolean IS NULL OR open = %(open)s::boolean)
  AND (%(number)s::text IS NULL OR case_number = %(number)s::text)
  AND (%(district)s::text IS NULL OR district = %(district)s OR %(district)s = ANY(districts))
  AND (%(since)s::timestamptz IS NULL OR opened_at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR opened_at < %(until)s)
  AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
ORDER BY opened_at DESC, case_id
LIMIT %(limit)s

-- name: windows_running
SELECT w.case_id, w.commitment, w.family, w.number, w.opened_at, w.due_at, w.tentative, w.standard, w.calendar, w.state,
       w.met_at, w.on_time, w.lapses, w.retracted, w.settles_at,
       c.case_number, c.kind, c.category, c.district, c.crew, c.severity, c.stage, c.mass
FROM (
    SELECT * FROM views.windows
    WHERE state = 'running' AND (%(family)s::text IS NULL OR family = %(family)s::text)
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY due_at, case_id, commitment
    LIMIT %(limit)s
) w
LEFT JOIN views.cases c USING (case_id)
ORDER BY w.due_at, w.case_id, w.commitment

-- name: windows_latest
SELECT w.case_id, w.commitment, w.family, w.number, w.opened_at, w.due_at, w.tentative, w.standard, w.calendar, w.state,
       w.met_at, w.on_time, w.lapses, w.retracted, w.settles_at,
       c.case_number, c.kind, c.category, c.district, c.crew, c.severity, c.stage, c.mass
FROM (
    SELECT * FROM views.windows
    WHERE (%(family)s::text IS NULL OR family = %(family)s::text)
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY due_at DESC NULLS LAST, case_id, commitment
    LIMIT %(limit)s
) w
LEFT JOIN views.cases c USING (case_id)
ORDER BY w.due_at DESC NULLS LAST, w.case_id, w.commitment

-- name: count_cases
SELECT family, category, channel, severity, stage, open, count(*)::bigint AS cases, sum(reports)::bigint AS reports
FROM views.cases
GROUP BY family, category, channel, severity, stage, open

-- name: count_windows
SELECT commitment,
       count(*) FILTER (WHERE state = 'running') AS running,
       count(*) FILTER (WHERE state = 'met') AS met,
       count(*) FILTER (WHERE state = 'met' AND on_time) AS met_on_time,
       count(*) FILTER (WHERE state = 'lapsed') AS lapsed,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       coalesce(sum(lapses), 0)::bigint AS lapses,
       coalesce(sum(retracted), 0)::bigint AS retracted
FROM views.windows
GROUP BY commitment
ORDER BY commitment

-- name: breaches_after
-- The breach stream is read partition by partition: within one, rows appear in order of position; between two they do
-- not. A place in the stream is therefore one position for each partition.
SELECT b.partition, b.position, b.event_id, b.change, b.family, b.case_id, b.commitment, b.due_at, b.lapse, b.rung,
       b.notify, b.reason, b.recorded_at, b.settles_at, b.overturns, c.case_number, c.kind, c.category, c.district, c.crew, c.mass,
       (NOT %(bound)s::boolean OR views.within(b.case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[])) AS within
FROM unnest(%(partitions)s::int[], %(positions)s::bigint[]) AS place (partition, position)
CROSS JOIN LATERAL (
    SELECT * FROM views.breaches
    WHERE topic = %(topic)s AND partition = place.partition AND position > place.position
    ORDER BY position
    LIMIT %(limit)s
) b
LEFT JOIN views.cases c USING (case_id)
ORDER BY b.position
LIMIT %(limit)s

-- name: breaches_latest
SELECT b.partition, b.position, b.event_id, b.change, b.family, b.case_id, b.commitment, b.due_at, b.lapse, b.rung,
       b.notify, b.reason, b.recorded_at, b.settles_at, b.overturns, c.case_number, c.kind, c.category, c.district, c.crew, c.mass
FROM unnest(%(partitions)s::int[]) AS place (partition)
CROSS JOIN LATERAL (
    SELECT * FROM views.breaches
    WHERE topic = %(topic)s AND partition = place.partition
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY position DESC
    LIMIT %(limit)s
) b
LEFT JOIN views.cases c USING (case_id)
ORDER BY b.position

-- name: breach_heads
SELECT place.partition, (
    SELECT max(position) FROM views.breaches WHERE topic = %(topic)s AND partition = place.partition
) AS position
FROM unnest(%(partitions)s::int[]) AS place (partition)

-- name: free_crews
SELECT crew, name_zh, skills, district, located_at
FROM views.crews
WHERE on_case IS NULL AND on_shift
ORDER BY crew
LIMIT 500

-- name: list_crews
-- Which incident a crew is on is told to whoever may read the incident, and to others that it is busy.
SELECT c.crew, c.name_zh, c.skills, c.lead <> '' AS formed, c.on_shift, c.district, c.located_at,
       c.on_case IS NOT NULL AS busy, CASE WHEN shown THEN c.on_case END AS on_case,
       CASE WHEN shown THEN i.case_number END AS case_number
FROM views.crews c
LEFT JOIN views.cases i ON i.case_id = c.on_case
CROSS JOIN LATERAL (
    SELECT NOT %(bound)s::boolean
        OR views.within(c.on_case, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]) AS shown
) sight
WHERE %(crew)s::text IS NULL OR lower(c.crew) = lower(%(crew)s)
ORDER BY lower(c.crew)
LIMIT %(limit)s

-- name: list_incidents
-- Open incidents, and closed ones whose reporters wait or whose arrival awaits its evidence, by the end of their first
-- limit that is still owed: one that ran out long ago comes before one that runs. What is owed of a closed one is the
-- answer. What is next in each is the rulebook's to say. Untold: whether the reporters were told is not known, or no
-- longer asked for. Limits are read in the order of their ends until enough are found, and what else is shown of an
-- incident is read for these alone: the first rows cost the same however many incidents are open. Those that owe
-- nothing with an end come last, and are looked for only where the others are too few.
WITH listed AS NOT MATERIALIZED (
    SELECT case_id, crew, districts, open, opened_at FROM views.cases c
    WHERE family = 'repair' AND (open OR EXISTS (
        SELECT FROM views.windows WHERE case_id = c.case_id
          AND (provisional_until IS NOT NULL OR commitment = 'repair.answer' AND state IN ('running', 'lapsed'))
    ))
), owed AS NOT MATERIALIZED (
    SELECT case_id, commitment, due_at FROM views.windows w JOIN views.cases c USING (case_id)
    WHERE w.family = 'repair' AND due_at IS NOT NULL AND state IN ('running', 'lapsed')
      AND (state = 'running' OR open OR commitment = 'repair.answer')
), due AS MATERIALIZED (
    SELECT case_id, commitment, due_at FROM owed first JOIN listed USING (case_id)
    WHERE NOT EXISTS (
        SELECT FROM owed WHERE case_id = first.case_id AND (due_at, commitment) < (first.due_at, first.commitment)
    )
      AND (%(crew)s::text IS NULL OR lower(crew) = lower(%(crew)s))
      AND (%(own_districts)s::text[] IS NULL OR districts = '{}' OR districts && %(own_districts)s)
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY due_at, opened_at, case_id LIMIT %(limit)s
), others AS (
    SELECT case_id, NULL::text AS commitment, NULL::timestamptz AS due_at FROM listed
    WHERE NOT EXISTS (SELECT FROM owed WHERE case_id = listed.case_id)
      AND (%(crew)s::text IS NULL OR lower(crew) = lower(%(crew)s))
      AND (%(own_districts)s::text[] IS NULL OR districts = '{}' OR districts && %(own_districts)s)
      AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
    ORDER BY opened_at, case_id LIMIT (SELECT %(limit)s - count(*) FROM due)
)
SELECT case_id, c.case_number, c.kind, c.district, c.zone, c.stage, c.severity, c.crew, c.reports, c.open, c.opened_at,
       c.version, c.mass, c.milestones, c.reporters, c.delays, f.commitment, f.due_at, l.lapses, l.lapsed, l.untold,
       l.evidence_due_at
FROM (TABLE due UNION ALL TABLE others) f JOIN views.cases c USING (case_id)
LEFT JOIN LATERAL (
    SELECT coalesce(sum(lapses), 0)::int AS lapses,
           coalesce(array_agg(commitment) FILTER (WHERE lapses > 0), '{}') AS lapsed,
           coalesce(bool_or(commitment = 'repair.answer' AND state IN ('cancelled', 'unknown')), false) AS untold,
           max(provisional_until) FILTER (WHERE commitment = 'repair.arrival') AS evidence_due_at
    FROM views.windows WHERE case_id = c.case_id
) l ON true
ORDER BY f.due_at NULLS LAST, c.opened_at, case_id

-- name: incidents_to_link
SELECT case_id, case_number, kind, stage, crew, opened_at, reports, coalesce(cell = ANY(%(cells)s::text[]), false) AS near
FROM views.cases
WHERE family = 'repair' AND open AND district = %(district)s AND kind = ANY(%(kinds)s::text[])
  AND opened_at BETWEEN %(since)s AND %(until)s
  AND (NOT %(bound)s::boolean OR views.within(case_id, %(own_crew)s::text, %(own_squad)s::text, %(own_districts)s::text[]))
ORDER BY coalesce(cell = ANY(%(cells)s::text[]), false) DESC,
         abs(extract(epoch FROM opened_at - %(at)s::timestamptz)), case_id
LIMIT 20

-- name: mass_counts
-- What is tagged is counted like everything else: a lapse of a mass incident stays a lapse.
SELECT c.mass, count(*) AS incidents, count(*) FILTER (WHERE c.open) AS still_open,
       coalesce(sum(w.lapses), 0)::bigint AS lapses, coalesce(sum(w.retracted), 0)::bigint AS retracted
FROM views.cases c
LEFT JOIN LATERAL (
    SELECT sum(lapses) AS lapses, sum(retracted) AS retracted FROM views.windows WHERE case_id = c.case_id
) w ON true
WHERE c.mass IS NOT NULL
GROUP BY c.mass

-- name: usage_cases
SELECT case_id, case_number, meter, read_at, litres, used_litres, signs, connection, point, found_at, standing, held,
       confirmed_at, dismissed_at, notified_at, notified_by, offered_at, help_started_at, help_finished_at, finding,
       outcome, open, version
FROM views.usage
WHERE (%(open)s::boolean IS NULL OR open = %(open)s::boolean)
  AND (%(meter)s::text IS NULL OR meter = %(meter)s::text)
ORDER BY found_at, case_id
LIMIT %(limit)s

-- name: reading_books
SELECT c.case_id, c.case_number, c.stage, c.open, c.opened_at, w.due_at, w.state, w.lapses
FROM views.cases c LEFT JOIN views.windows w ON w.case_id = c.case_id AND w.commitment = 'book.read'
WHERE c.family = 'book' AND (%(open)s::boolean IS NULL OR c.open = %(open)s::boolean)
ORDER BY w.due_at NULLS LAST, c.case_id
LIMIT %(limit)s

-- name: readings_to_audit
SELECT r.meter, r.read_at, r.litres,
       CASE WHEN a.meter IS NULL THEN r.litres - coalesce(earlier.litres, m.initial_litres) ELSE a.used_litres END
         AS used_litres,
       coalesce(a.flags, '{}') AS flags,
       coalesce(a.told < a.revision, false) AS pending
FROM unnest(%(meters)s::text[], %(times)s::timestamptz[]) AS wanted (meter, read_at)
JOIN readings.readings r USING (meter, read_at)
JOIN readings.meters m USING (meter)
LEFT JOIN readings.anomalies a ON a.meter = r.meter AND a.read_at = r.read_at AND a.standing
LEFT JOIN LATERAL (
    SELECT litres FROM readings.readings b
    WHERE b.meter = r.meter AND b.read_at < r.read_at
    ORDER BY b.read_at DESC LIMIT 1
) earlier ON true

-- name: meters_ending
-- Meters in service whose verification ends by a day, the first one first. It ends by the certificate or by the first
-- period of the standard that fits the meter, whichever is earlier; a period ends on the day before the anniversary, of
-- 29 February on 28 February. Counted over all of them: `expired` before today, `ending` from today on.
WITH periods AS (
    SELECT * FROM unnest(%(dns)s::int[], %(q3s)s::numeric[], %(years)s::int[], %(assumed)s::bool[], %(replaced)s::bool[])
        WITH ORDINALITY AS period (dn_mm, q3_m3h, years, q3_assumed, replaced, rank)
), sizes AS (
    SELECT DISTINCT dn_mm, q3_m3h FROM views.meters
), classes AS (
    SELECT DISTINCT ON (sizes.dn_mm, sizes.q3_m3h) sizes.dn_mm, sizes.q3_m3h, periods.years, periods.replaced
    FROM sizes LEFT JOIN periods
      ON sizes.dn_mm <= periods.dn_mm
     AND CASE WHEN periods.q3_m3h IS NULL THEN true WHEN sizes.q3_m3h IS NULL THEN periods.q3_assumed
              ELSE sizes.q3_m3h <= periods.q3_m3h END
    ORDER BY sizes.dn_mm, sizes.q3_m3h, periods.rank
), dated AS (
    SELECT meters.*, coalesce(classes.replaced, false) AS replaced,
           meters.verified_on + make_interval(years => classes.years) AS anniversary
    FROM views.meters JOIN classes
      ON classes.dn_mm = meters.dn_mm AND coalesce(classes.q3_m3h, -1) = coalesce(meters.q3_m3h, -1)
), ending AS (
    SELECT dated.*, least(
        expires_on,
        anniversary::date - CASE WHEN extract(day FROM anniversary) = extract(day FROM verified_on) THEN 1 ELSE 0 END
    ) AS ends_on
    FROM dated
)
SELECT meter, case_id, point, dn_mm, q3_m3h, verified_on, expires_on, ends_on, replaced,
       count(*) FILTER (WHERE ends_on < %(today)s) OVER () AS expired,
       count(*) FILTER (WHERE ends_on >= %(today)s) OVER () AS ending
FROM ending WHERE ends_on <= %(until)s
ORDER BY ends_on, meter LIMIT %(limit)s
