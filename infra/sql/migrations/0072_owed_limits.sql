-- The dispatcher's list reads the limits that are still owed in the order of their ends, and not every open incident;
-- what a crew is on is found by its code.
CREATE INDEX windows_owed ON views.windows (due_at) WHERE family = 'repair' AND state IN ('running', 'lapsed');
CREATE INDEX cases_crew ON views.cases (lower(crew)) WHERE family = 'repair';
