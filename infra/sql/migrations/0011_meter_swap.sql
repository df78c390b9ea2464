-- Meters are taken out, and may go in again elsewhere. A reading of later than ``out_at`` is none of that meter's use.
ALTER TABLE readings.meters
    ADD COLUMN in_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN out_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE readings.set_aside DROP CONSTRAINT set_aside_reason_check;
ALTER TABLE readings.set_aside
    ADD CONSTRAINT set_aside_reason_check CHECK (reason IN ('unknown-meter', 'contradicts', 'meter-out'));
