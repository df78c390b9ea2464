-- An outage may come about without a plan and without an incident.
ALTER TABLE views.outages DROP CONSTRAINT outages_kind_check;
ALTER TABLE views.outages ADD CONSTRAINT outages_kind_check CHECK (kind IN ('planned', 'emergency', 'unannounced'));
