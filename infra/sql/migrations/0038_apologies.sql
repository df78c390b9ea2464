-- How many of those who reported an incident were told that we are sorry.
ALTER TABLE views.cases ADD COLUMN apologies int NOT NULL DEFAULT 0;
