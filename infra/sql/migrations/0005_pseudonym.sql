-- The key of applicants' pseudonyms: 32 bytes, of which 244 bits are random. Made here once and never shown; without it no
-- pseudonym can be derived from a person, nor a person be looked for.
CREATE TABLE vault.pseudonym_key (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    key bytea NOT NULL CHECK (octet_length(key) = 32)
);
INSERT INTO vault.pseudonym_key (key)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
