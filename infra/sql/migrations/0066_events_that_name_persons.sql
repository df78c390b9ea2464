-- The events that name a person, in one place: the index of persons and every query over them ask this function.
CREATE FUNCTION vault.names_a_person(topic text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN topic IN (
        'water.connection.ApplicationReceived.v1',
        'water.connection.ConsultationGiven.v1',
        'water.connection.CustomerChanged.v1',
        'water.connection.CustomerRenamed.v1',
        'water.connection.PreServiceRequested.v1',
        'water.connection.WaterTurnedOn.v1',
        'water.repair.FaultReported.v1',
        'water.repair.ReportLinked.v1'
    );

DROP INDEX store.stored_events_subject;
CREATE INDEX stored_events_subject ON store.stored_events (vault.subject_of(state))
    WHERE vault.names_a_person(topic);
