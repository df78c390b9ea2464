-- The files behind the digests of the log: uploads that go on, files that are kept, for which cases and persons, and who
-- read them. A file itself is in the object store, sealed by a key of its own that stands here, sealed by the master key.
CREATE SCHEMA evidence;

CREATE TABLE evidence.uploads (
    id uuid PRIMARY KEY,
    actor text NOT NULL,
    role text NOT NULL,
    digest text NOT NULL CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    class text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    case_id uuid,
    subject_id uuid,
    received_bytes bigint NOT NULL DEFAULT 0 CHECK (received_bytes BETWEEN 0 AND size_bytes),
    sealed_key bytea NOT NULL,
    touched_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone
);

CREATE UNIQUE INDEX uploads_open ON evidence.uploads (actor, digest, class, case_id, subject_id) NULLS NOT DISTINCT
    WHERE completed_at IS NULL;
CREATE INDEX uploads_touched ON evidence.uploads (touched_at);
CREATE INDEX uploads_subject ON evidence.uploads (subject_id) WHERE subject_id IS NOT NULL;

CREATE TABLE evidence.parts (
    upload_id uuid NOT NULL REFERENCES evidence.uploads ON DELETE CASCADE,
    first_byte bigint NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (upload_id, first_byte)
);

-- Sealed bytes do not get smaller by trying.
ALTER TABLE evidence.parts ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- generation: of the key; a file that was destroyed and comes again gets another key and another object.
-- objects_to_delete: generations whose object may still be there, and whose key is gone.
CREATE TABLE evidence.files (
    digest text PRIMARY KEY CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    state text NOT NULL CHECK (state IN ('storing', 'quarantined', 'kept', 'purged', 'erased', 'infected')),
    sealed_key bytea,
    generation integer NOT NULL DEFAULT 1,
    objects_to_delete integer[] NOT NULL DEFAULT '{}',
    touched_at timestamp with time zone NOT NULL,
    CHECK ((sealed_key IS NULL) = (state IN ('purged', 'erased', 'infected')))
);

CREATE INDEX files_to_delete ON evidence.files (digest) WHERE objects_to_delete <> '{}';
CREATE INDEX files_state ON evidence.files (state) WHERE state IN ('storing', 'quarantined');

-- For which case, and of which person. untold: the event about it that is not in the log yet; gone: why it is over.
CREATE TABLE evidence.links (
    digest text NOT NULL REFERENCES evidence.files,
    class text NOT NULL,
    case_id uuid,
    subject_id uuid,
    actor text NOT NULL,
    role text NOT NULL,
    at timestamp with time zone NOT NULL,
    gone text CHECK (gone IN ('time-is-up', 'erased', 'infected')),
    untold text CHECK (untold IN ('kept', 'purged')),
    UNIQUE NULLS NOT DISTINCT (digest, class, case_id, subject_id)
);

CREATE INDEX links_case ON evidence.links (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX links_subject ON evidence.links (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX links_at ON evidence.links (at) WHERE gone IS NULL;
CREATE INDEX links_untold ON evidence.links (at) WHERE untold IS NOT NULL;

-- Who read which file, written down before it is given.
CREATE TABLE evidence.reads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    digest text NOT NULL
);

CREATE INDEX reads_digest ON evidence.reads (digest, at);
CREATE INDEX reads_actor ON evidence.reads (actor, at);
