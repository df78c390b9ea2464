-- Rules change while the program runs: the position of the newest published standard, calendar or fee catalogue. An append
-- that was decided under older rules is decided again.
ALTER TABLE store.log_head ADD COLUMN rules_position bigint NOT NULL DEFAULT 0;
UPDATE store.log_head SET rules_position = COALESCE((
    SELECT max(notification_id) FROM store.stored_events
    WHERE topic IN ('water.public.StandardPublished.v1', 'water.public.CalendarPublished.v1',
                    'water.public.CataloguePublished.v1')), 0);

-- A refused command whose attempt is on record is answered under its key as it was.
ALTER TABLE store.command_keys ADD COLUMN refusal jsonb;

-- The recompute job: which rules every open deadline has been brought to.
CREATE TABLE watch.recompute (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    rules_position bigint NOT NULL DEFAULT 0,
    looked_at bigint NOT NULL DEFAULT 0,
    moved bigint NOT NULL DEFAULT 0,
    finished_at timestamptz
);
INSERT INTO watch.recompute DEFAULT VALUES;

-- Which ends stand as lapsed: a window that runs again, or whose end comes back, knows whether that end had run out.
ALTER TABLE views.windows ADD COLUMN lapsed_ends timestamptz[] NOT NULL DEFAULT '{}';
UPDATE views.windows w SET lapsed_ends = COALESCE((
    SELECT array_agg(DISTINCT l.due_at ORDER BY l.due_at) FROM views.breaches l
    WHERE l.change = 'lapsed' AND l.case_id = w.case_id AND l.commitment = w.commitment AND NOT EXISTS (
        SELECT FROM views.breaches r
        WHERE r.change = 'retracted' AND r.case_id = l.case_id AND r.commitment = l.commitment
          AND r.due_at = l.due_at AND r.position > l.position)), '{}')
WHERE w.lapses > 0;
CREATE INDEX windows_by_case ON views.windows (case_id) WHERE calendar IS NOT NULL AND state IN ('running', 'lapsed');
