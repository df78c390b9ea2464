-- Particulars are sealed: a key for each subject, which is sealed by the master key outside the database. Without its
-- key nothing of a subject can be read, in any backup either. Rows from before are sealed by a step after the migrations.
CREATE TABLE vault.subject_keys (
    subject_id uuid PRIMARY KEY,
    sealed_key bytea,
    erased_at timestamp with time zone,
    CHECK ((sealed_key IS NULL) = (erased_at IS NOT NULL))
);

-- The key of the hashes that telephones are looked for by, sealed; it also tells which master key is this installation's.
-- A row that was emptied stays in its table's file until the table is written anew: rewrite_due says that it has to be.
CREATE TABLE vault.installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    search_key bytea NOT NULL,
    rewrite_due boolean NOT NULL DEFAULT true
);

ALTER TABLE vault.subjects
    ALTER COLUMN particulars DROP NOT NULL,
    ADD COLUMN sealed bytea,
    ADD COLUMN phone_hash bytea CHECK (octet_length(phone_hash) = 32),
    ADD CONSTRAINT subjects_sealed_or_plain CHECK (particulars IS NULL OR sealed IS NULL);

CREATE INDEX subjects_phone ON vault.subjects (phone_hash) WHERE phone_hash IS NOT NULL;
CREATE INDEX subjects_plain ON vault.subjects (subject_id) WHERE particulars IS NOT NULL;

-- Who read what, and what for. No particulars are here.
CREATE TABLE vault.reads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    subject_id uuid,
    case_id uuid,
    reason text,
    masked boolean NOT NULL
);

CREATE INDEX reads_subject ON vault.reads (subject_id, at);
CREATE INDEX reads_actor ON vault.reads (actor, at);

-- Whom an event of a case names, for whoever looks for the cases of a person; and who was erased.
CREATE FUNCTION vault.subject_of(state bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN convert_from(state, 'UTF8')::jsonb #>> '{data,subject,id}';

CREATE INDEX stored_events_subject ON store.stored_events (vault.subject_of(state)) WHERE topic IN (
    'water.connection.ApplicationReceived.v1',
    'water.connection.ConsultationGiven.v1',
    'water.connection.CustomerChanged.v1',
    'water.connection.CustomerRenamed.v1',
    'water.connection.PreServiceRequested.v1',
    'water.connection.WaterTurnedOn.v1',
    'water.repair.FaultReported.v1',
    'water.repair.ReportLinked.v1'
);
CREATE INDEX stored_events_erased ON store.stored_events (originator_id) WHERE topic = 'water.office.SubjectErased.v1';
