-- What decides the next action about an incident is in its row, as the rulebook asks for it: its milestones, who reported
-- it and is owed what, and what a crew that is held up said. The cases are read anew: their rows say more.
ALTER TABLE views.cases
    ADD COLUMN milestones jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN reporters jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN delays jsonb NOT NULL DEFAULT '[]',
    DROP COLUMN apologies;
TRUNCATE views.cases;
DELETE FROM views.places WHERE reader = 'cases';
