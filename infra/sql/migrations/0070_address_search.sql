-- Persons are looked for by their address, as by their telephone: by a keyed hash of it, so that no address lies here.
-- Rows from before get theirs at the next start (index_addresses); address_indexed says which still lack it.
ALTER TABLE vault.subjects
    ADD COLUMN address_hash bytea CHECK (octet_length(address_hash) = 32),
    ADD COLUMN address_indexed boolean NOT NULL DEFAULT false;

CREATE INDEX subjects_address ON vault.subjects (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX subjects_address_due ON vault.subjects (subject_id, revision) WHERE sealed IS NOT NULL AND NOT address_indexed;
