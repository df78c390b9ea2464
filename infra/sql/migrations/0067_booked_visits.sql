-- The visits that squads still have to make, as their page lists them.
CREATE INDEX visits_booked ON views.visits (begin_at, visit) WHERE state = 'booked';
