-- What came of an order book that was replayed.

-- name: ticket_verdicts
-- A limit that ran out is lapsed, whether it was met later or not.
SELECT commitment, CASE WHEN lapses > 0 THEN 'lapsed' ELSE state END AS verdict, count(*)::bigint AS windows
FROM views.windows
WHERE family = 'repair'
GROUP BY 1, 2
ORDER BY 1, 2

-- name: ticket_incidents
SELECT coalesce(severity, 'unassessed') AS class, stage, open, count(*)::bigint AS incidents, sum(reports)::bigint AS reports
FROM views.cases
WHERE family = 'repair'
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: ticket_completions
SELECT count(*)::bigint AS completed,
       count(*) FILTER (WHERE met_at - opened_at <= interval '4 hours')::bigint AS within_4_h,
       count(*) FILTER (WHERE met_at - opened_at <= interval '8 hours')::bigint AS within_8_h
FROM views.windows
WHERE commitment = 'repair.completion' AND state = 'met'

-- name: ticket_facts
-- Straight from the store: how often each fact was told, reports by the way in which their source was told.
SELECT topic AS type, convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'origin' AS origin, count(*)::bigint AS facts
FROM store.stored_events
WHERE topic LIKE 'water.repair.%'
GROUP BY 1, 2
ORDER BY 1, 2

-- name: ticket_standards
SELECT count(*)::bigint AS standards
FROM store.stored_events
WHERE topic = 'water.public.StandardPublished.v1'
  AND convert_from(state, 'UTF8')::jsonb -> 'data' ->> 'version' = %(version)s

-- name: commit_without_waiting
ALTER ROLE current_user SET synchronous_commit = off
