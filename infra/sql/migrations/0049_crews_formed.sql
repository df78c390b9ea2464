-- Which crews were formed: whoever decides about a crew asks the store itself, and must not read all of it for that.
CREATE INDEX stored_events_crews_formed ON store.stored_events (originator_id, originator_version)
WHERE topic = 'water.crew.CrewFormed.v1';
