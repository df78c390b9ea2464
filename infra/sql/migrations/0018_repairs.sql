-- Of repairs: the square they lie in, and the class they had first; of both classes when each was seen.
ALTER TABLE views.cases
    ADD COLUMN cell text,
    ADD COLUMN first_severity text,
    ADD COLUMN first_assessed_at timestamptz,
    ADD COLUMN last_assessed_at timestamptz;
CREATE INDEX cases_to_link ON views.cases (district, kind, opened_at) WHERE open AND family = 'repair';
