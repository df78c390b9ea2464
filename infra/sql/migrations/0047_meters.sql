-- The meter that is in at each supply point, with its verification. The read model has no place yet: it reads the topic
-- of connections from its beginning.
CREATE TABLE views.meters (
    case_id uuid NOT NULL,
    point int NOT NULL,
    meter text NOT NULL,
    dn_mm int NOT NULL,
    q3_m3h numeric,
    verified_on date NOT NULL,
    expires_on date NOT NULL,
    in_since timestamptz NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (case_id, point)
);
