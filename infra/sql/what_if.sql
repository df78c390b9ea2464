-- What would have become of the cases of a period.

-- name: cases_begun
-- One scan, read bit by bit: the first event of every case that owes something and began in the period.
SELECT originator_id AS case_id, topic AS type, convert_from(state, 'UTF8')::jsonb ->> 'channel' AS channel
FROM store.stored_events
WHERE originator_version = 1 AND topic = ANY(%(types)s)
  AND (convert_from(state, 'UTF8')::jsonb ->> 'time')::timestamptz >= %(begin)s
  AND (convert_from(state, 'UTF8')::jsonb ->> 'time')::timestamptz < %(end)s
ORDER BY originator_id
