-- Until when a promise counts as met provisionally (an arrival whose evidence may still follow), and until when what
-- lapsed had counted so. What was told before has neither.
ALTER TABLE views.windows ADD COLUMN provisional_until timestamptz;
ALTER TABLE views.breaches ADD COLUMN provisional_until timestamptz;
CREATE INDEX windows_provisional ON views.windows (case_id) WHERE provisional_until IS NOT NULL;
