-- A session that an identity provider began: no password was shown in it.
ALTER TABLE identity.sessions ADD COLUMN by_provider boolean NOT NULL DEFAULT false;
