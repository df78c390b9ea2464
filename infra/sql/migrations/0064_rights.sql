-- Requests of persons about their particulars are listed by their events.
CREATE INDEX stored_events_rights ON store.stored_events (notification_id)
    WHERE topic = 'water.office.RightsRequestReceived.v1';
