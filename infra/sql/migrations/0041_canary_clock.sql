-- Since when a watch is known here, by this server's clock: began_at is by the watch's own, which may be wrong.
ALTER TABLE watch.canaries ADD COLUMN seen_at timestamptz NOT NULL DEFAULT clock_timestamp();
