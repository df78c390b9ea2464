-- Who may see which case. An order of another body stands in the place of its incident.
ALTER TABLE views.cases ADD COLUMN incident uuid, ADD COLUMN districts text[] NOT NULL DEFAULT '{}';
UPDATE views.cases SET districts = ARRAY[district] WHERE district IS NOT NULL;
UPDATE views.cases SET districts = outages.districts FROM views.outages WHERE outages.case_id = cases.case_id;
UPDATE views.cases SET incident = told.incident
FROM (
    SELECT DISTINCT ON (originator_id) originator_id, (convert_from(state, 'UTF8')::jsonb #>> '{data,case_id}')::uuid AS incident
    FROM store.stored_events
    WHERE topic IN ('water.repair.OrderReceived.v1', 'water.repair.OrderMoved.v1')
    ORDER BY originator_id, originator_version DESC
) told
WHERE told.originator_id = cases.case_id;

-- Whether a case is within what somebody is bound to; null: not bound to it. A case that the read model does not have yet
-- is within nothing. domain/people/scope.py says the same of one case.
CREATE FUNCTION views.within(of_case uuid, own_crew text, own_squad text, own_districts text[]) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM views.cases c
        LEFT JOIN views.cases place ON place.case_id = c.incident
        WHERE c.case_id = of_case
          AND (own_crew IS NULL OR lower(coalesce(place.crew, c.crew)) = lower(own_crew))
          AND (own_squad IS NULL OR EXISTS (
              SELECT FROM views.visits v WHERE v.case_id = of_case AND v.squad = own_squad AND v.state <> 'cancelled'))
          AND (own_districts IS NULL OR CASE
              WHEN c.family = 'order' THEN place.districts && own_districts
              ELSE c.districts = '{}' OR c.districts && own_districts END)
    )
$$;

-- What a machine was granted, a session keeps; empty: all that its roles may do.
ALTER TABLE identity.sessions ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';

-- Of a citizen who proved a telephone: its keyed hash, by which the vault finds the persons who gave it.
ALTER TABLE identity.sessions ADD COLUMN phone_hash bytea CHECK (octet_length(phone_hash) = 32);

-- The secret link with which an applicant or a reporter follows a case: of the code only its hash is kept. ``report``: the
-- number of the report whose link it is; 0 of an application.
CREATE TABLE identity.follow_links (
    code_hash bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    case_id uuid NOT NULL,
    report integer NOT NULL,
    generation integer NOT NULL,
    made_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamp with time zone,
    UNIQUE (case_id, report, generation)
);

-- One-time codes by telephone. One row for each telephone that asked; the code's hash is null where nobody is known by it.
CREATE TABLE identity.phone_codes (
    phone_hash bytea PRIMARY KEY CHECK (octet_length(phone_hash) = 32),
    code_hash bytea CHECK (octet_length(code_hash) = 32),
    tries integer NOT NULL DEFAULT 0,
    made_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
);
