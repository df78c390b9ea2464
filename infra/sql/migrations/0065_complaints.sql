-- Complaints are listed, and satisfaction is counted, by their events.
CREATE INDEX stored_events_complaints ON store.stored_events (notification_id)
    WHERE topic = 'water.office.ComplaintMade.v1';
CREATE INDEX stored_events_satisfaction ON store.stored_events (originator_id, originator_version)
    WHERE topic IN ('water.connection.SatisfactionGiven.v1', 'water.repair.SatisfactionGiven.v1');
