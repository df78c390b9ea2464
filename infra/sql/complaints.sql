-- Complaints, and how satisfied people are.

-- name: complaints_found
-- The oldest first. subjects null: whoever complained.
SELECT c.originator_id AS id
FROM store.stored_events c
WHERE c.topic = 'water.office.ComplaintMade.v1'
  AND (%(subjects)s::text[] IS NULL
       OR convert_from(c.state, 'UTF8')::jsonb #> '{data,subjects}' ?| %(subjects)s::text[])
  AND (NOT %(open)s OR NOT EXISTS (
      SELECT FROM store.stored_events e
      WHERE e.originator_id = c.originator_id
        AND e.topic IN ('water.office.ComplaintAnswered.v1', 'water.office.ComplaintWithdrawn.v1')
  ))
ORDER BY c.notification_id
LIMIT %(most)s

-- name: satisfaction_counts
-- What each person said last of their case counts, in the period in which they said it.
SELECT kind, score, count(*)::bigint AS people
FROM (
    SELECT DISTINCT ON (e.originator_id, said #>> '{data,report}')
           split_part(e.topic, '.', 2) AS kind,
           (said #>> '{data,score}')::int AS score,
           (said ->> 'time')::timestamptz AS at
    FROM store.stored_events e
    CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS said) AS read
    WHERE e.topic IN ('water.connection.SatisfactionGiven.v1', 'water.repair.SatisfactionGiven.v1')
    ORDER BY e.originator_id, said #>> '{data,report}', e.originator_version DESC
) newest
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
GROUP BY kind, score
ORDER BY kind, score

-- name: satisfaction_reasons
SELECT kind, reason, count(*)::bigint AS people
FROM (
    SELECT DISTINCT ON (e.originator_id, said #>> '{data,report}')
           split_part(e.topic, '.', 2) AS kind,
           said #> '{data,reasons}' AS reasons,
           (said ->> 'time')::timestamptz AS at
    FROM store.stored_events e
    CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS said) AS read
    WHERE e.topic IN ('water.connection.SatisfactionGiven.v1', 'water.repair.SatisfactionGiven.v1')
    ORDER BY e.originator_id, said #>> '{data,report}', e.originator_version DESC
) newest
CROSS JOIN LATERAL jsonb_array_elements_text(reasons) AS reason
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
GROUP BY kind, reason
ORDER BY kind, reason
