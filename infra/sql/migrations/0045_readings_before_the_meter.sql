-- Since when a meter measures at all: a reading from before it was first put in is kept and not judged, and so is one
-- above what its dial can show. Of a meter that was put in again before this version its first stored reading tells.
ALTER TABLE readings.meters ADD COLUMN first_in_at timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00';
UPDATE readings.meters SET first_in_at = least(
    in_at,
    (SELECT min(read_at) FROM readings.readings WHERE readings.meter = meters.meter)
) WHERE in_at > '-infinity';

ALTER TABLE readings.set_aside DROP CONSTRAINT set_aside_reason_check;
ALTER TABLE readings.set_aside ADD CONSTRAINT set_aside_reason_check
    CHECK (reason IN ('unknown-meter', 'contradicts', 'meter-out', 'before-meter', 'above-dial'));
