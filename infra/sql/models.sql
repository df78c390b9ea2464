-- Queries that every read model shares; {table}, {keys}, {columns} and {updates} are filled from the model's own row.

-- name: model_rows
-- One by one through the primary key: by a join the planner may read the whole of a table that was small when it looked.
-- The table is named before its row type is, so that whoever waits here while a rebuild swaps it finds both anew.
WITH named_first AS (SELECT FROM {table} LIMIT 0)
SELECT found.*
FROM jsonb_populate_recordset(NULL::{table}, %(keys)s) AS wanted
CROSS JOIN LATERAL (SELECT kept.* FROM {table} AS kept JOIN (SELECT wanted.*) AS one USING ({keys}) LIMIT 1) AS found

-- name: model_store
INSERT INTO {table} ({columns})
SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %(rows)s)
ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {updates}

-- name: announce_views
SELECT pg_notify('tongshui_views', '')

-- name: announce_due
SELECT pg_notify('tongshui_due', '')
