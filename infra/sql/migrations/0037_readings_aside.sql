-- What was set aside is looked at, the newest first.
CREATE INDEX set_aside_at ON readings.set_aside (at);
