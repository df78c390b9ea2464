-- Idempotency keys are purged by age. They are written in order of time, which a BRIN index needs and which costs an
-- append next to nothing.
CREATE INDEX command_keys_recorded_at ON store.command_keys USING brin (recorded_at) WITH (pages_per_range = 16);
