-- Queries that every read model shares; {table}, {keys}, {columns} and {updates} are filled from the model's own row.

-- name: model_rows
SELECT found.* FROM {table} AS found JOIN jsonb_populate_recordset(NULL::{table}, %(keys)s) AS wanted USING ({keys})

-- name: model_store
INSERT INTO {table} ({columns})
SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %(rows)s)
ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {updates}

-- name: announce_views
SELECT pg_notify('tongshui_views', '')

-- name: announce_due
SELECT pg_notify('tongshui_due', '')
