-- The commands that a second person is asked to approve, each sealed by the master key: they may hold particulars. How a
-- request stands is in its events; a command's text is forgotten once it is decided or its time is over.
CREATE SCHEMA approvals;

CREATE TABLE approvals.commands (
    id uuid PRIMARY KEY,
    asker text NOT NULL,
    asked_role text,
    asked_actor text,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    sealed bytea,
    CHECK ((asked_role IS NULL) <> (asked_actor IS NULL))
);

CREATE INDEX commands_asker ON approvals.commands (asker, asked_at);
CREATE INDEX commands_asked_role ON approvals.commands (asked_role, asked_at) WHERE asked_role IS NOT NULL;
CREATE INDEX commands_asked_actor ON approvals.commands (asked_actor, asked_at) WHERE asked_actor IS NOT NULL;
CREATE INDEX commands_due ON approvals.commands (expires_at) WHERE sealed IS NOT NULL;
