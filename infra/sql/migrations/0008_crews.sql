-- The repair crews as they stand: a read model of the crew topic.

CREATE TABLE views.crews (
    stream_id uuid PRIMARY KEY,
    crew text NOT NULL,
    name_zh text NOT NULL,
    skills text[] NOT NULL,
    lead text NOT NULL,
    on_shift boolean,
    district text,
    located_at timestamptz,
    on_case uuid,
    position bigint NOT NULL
);
CREATE INDEX crews_free ON views.crews (crew) WHERE on_case IS NULL AND on_shift;
