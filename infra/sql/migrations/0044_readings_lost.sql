-- Meter readings are kept on Kafka for some days only: how many were gone before they were read, and where the log ends, so
-- that it shows how far behind the reading is.
ALTER TABLE readings.offsets ADD COLUMN end_offset bigint NOT NULL DEFAULT 0;
ALTER TABLE readings.offsets ADD COLUMN lost bigint NOT NULL DEFAULT 0;
