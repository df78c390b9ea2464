-- A log that begins behind a break says which one it follows, on every checkpoint; null: it is the first.
ALTER TABLE notary.logs ADD COLUMN follows text;
