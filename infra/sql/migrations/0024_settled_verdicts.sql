-- Until when the verdict on a window is open, and which changes of the breach stream overturned a settled one.
ALTER TABLE views.windows ADD COLUMN settles_at timestamptz;
ALTER TABLE views.breaches ADD COLUMN settles_at timestamptz, ADD COLUMN overturns boolean NOT NULL DEFAULT false;
