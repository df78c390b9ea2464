-- Accounts: secrets and sessions. All times are real time.

-- name: identity_credentials
SELECT actor, secret_hash, must_change, set_at, second_factor, second_factor_confirmed, last_code,
       greatest(0, extract(epoch FROM locked_until - clock_timestamp()))::float8 AS locked_s,
       extract(epoch FROM clock_timestamp() - set_at)::float8 AS age_s
FROM identity.credentials
WHERE actor = %(actor)s

-- name: identity_set_secret
INSERT INTO identity.credentials (actor, secret_hash, must_change)
VALUES (%(actor)s, %(secret_hash)s, %(must_change)s)
ON CONFLICT (actor) DO UPDATE
SET secret_hash = excluded.secret_hash, must_change = excluded.must_change, set_at = clock_timestamp(), failures = 0,
    locked_until = NULL

-- name: identity_forget
DELETE FROM identity.credentials WHERE actor = %(actor)s

-- name: identity_failed
UPDATE identity.credentials
SET failures = failures + 1,
    locked_until = CASE
        WHEN failures + 1 >= %(at_most)s
        THEN clock_timestamp() + make_interval(secs => %(lock_s)s * 2 ^ least(6, failures + 1 - %(at_most)s))
        ELSE locked_until
    END
WHERE actor = %(actor)s

-- A code counts once: of two sign-ins with one code the second finds no row.
-- name: identity_signed_in
UPDATE identity.credentials
SET failures = 0, locked_until = NULL, last_code = coalesce(%(code)s::bigint, last_code)
WHERE actor = %(actor)s AND (%(code)s::bigint IS NULL OR last_code IS NULL OR last_code < %(code)s::bigint)
RETURNING actor

-- name: identity_rehash
UPDATE identity.credentials SET secret_hash = %(secret_hash)s WHERE actor = %(actor)s

-- name: identity_set_second_factor
UPDATE identity.credentials
SET second_factor = %(sealed)s, second_factor_confirmed = %(confirmed)s, last_code = NULL
WHERE actor = %(actor)s

-- name: identity_forget_recovery_codes
DELETE FROM identity.recovery_codes WHERE actor = %(actor)s

-- name: identity_add_recovery_codes
INSERT INTO identity.recovery_codes (actor, code_hash)
SELECT %(actor)s, unnest(%(hashes)s::bytea[])

-- name: identity_use_recovery_code
UPDATE identity.recovery_codes SET used_at = clock_timestamp()
WHERE actor = %(actor)s AND code_hash = %(code_hash)s AND used_at IS NULL
RETURNING actor

-- name: identity_open_session
INSERT INTO identity.sessions
    (token_hash, actor, role, roles, crew, squad, districts, scopes, is_machine, for_browser, is_limited, by_provider,
     ends_at)
VALUES
    (%(token_hash)s, %(actor)s, %(role)s, %(roles)s, %(crew)s, %(squad)s, %(districts)s, %(scopes)s, %(is_machine)s,
     %(for_browser)s, %(is_limited)s, %(by_provider)s, clock_timestamp() + make_interval(secs => %(lasts_s)s))

-- name: identity_session
SELECT actor, role, roles, crew, squad, districts, scopes, is_machine, for_browser, is_limited, phone_hash,
       by_provider,
       extract(epoch FROM clock_timestamp() - used_at)::float8 AS idle_s,
       extract(epoch FROM ends_at - clock_timestamp())::float8 AS left_s
FROM identity.sessions
WHERE token_hash = %(token_hash)s AND ends_at > clock_timestamp()

-- name: identity_session_used
UPDATE identity.sessions SET used_at = clock_timestamp() WHERE token_hash = %(token_hash)s

-- name: identity_switch_role
UPDATE identity.sessions SET role = %(role)s WHERE token_hash = %(token_hash)s

-- name: identity_close_session
DELETE FROM identity.sessions WHERE token_hash = %(token_hash)s

-- name: identity_close_sessions
DELETE FROM identity.sessions WHERE actor = %(actor)s AND token_hash <> %(except)s

-- name: identity_forget_sessions
DELETE FROM identity.sessions WHERE ends_at <= clock_timestamp()

-- name: identity_actors
SELECT DISTINCT convert_from(state, 'UTF8')::json -> 'data' ->> 'actor' AS actor
FROM store.stored_events
WHERE topic = %(topic)s
ORDER BY 1

-- name: follow_newest
SELECT generation, code_hash, revoked_at IS NOT NULL AS revoked
FROM identity.follow_links
WHERE case_id = %(case_id)s AND report = %(report)s
ORDER BY generation DESC
LIMIT 1

-- name: follow_put
INSERT INTO identity.follow_links (code_hash, case_id, report, generation)
VALUES (%(code_hash)s, %(case_id)s, %(report)s, %(generation)s)
ON CONFLICT DO NOTHING

-- name: follow_put_first
INSERT INTO identity.follow_links (code_hash, case_id, report, generation)
SELECT *, 1 FROM unnest(%(code_hashes)b::bytea[], %(case_ids)b::uuid[], %(reports)s::integer[])
ON CONFLICT DO NOTHING

-- name: follow_find
SELECT case_id, report FROM identity.follow_links WHERE code_hash = %(code_hash)s AND revoked_at IS NULL

-- name: follow_revoke
UPDATE identity.follow_links SET revoked_at = clock_timestamp() WHERE code_hash = %(code_hash)s AND revoked_at IS NULL

-- name: follow_revoke_case
UPDATE identity.follow_links SET revoked_at = clock_timestamp()
WHERE case_id = %(case_id)s AND report = %(report)s AND revoked_at IS NULL

-- A citizen's session: whoever proved a telephone.
-- name: identity_open_citizen
INSERT INTO identity.sessions
    (token_hash, actor, role, roles, districts, scopes, is_machine, for_browser, is_limited, phone_hash, ends_at)
VALUES
    (%(token_hash)s, %(actor)s, %(role)s, %(roles)s, '{}', '{}', false, %(for_browser)s, false, %(phone_hash)s,
     clock_timestamp() + make_interval(secs => %(lasts_s)s))

-- name: phone_code_put
INSERT INTO identity.phone_codes (phone_hash, code_hash)
VALUES (%(phone_hash)s, %(code_hash)s)
ON CONFLICT (phone_hash) DO UPDATE SET code_hash = excluded.code_hash, tries = 0, made_at = clock_timestamp()

-- A try counts before it is looked at: of many at once no more than so many are.
-- name: phone_code_try
UPDATE identity.phone_codes SET tries = tries + 1
WHERE phone_hash = %(phone_hash)s AND tries < %(most)s
  AND made_at > clock_timestamp() - make_interval(secs => %(lasts_s)s)
RETURNING code_hash

-- A code counts once.
-- name: phone_code_use
DELETE FROM identity.phone_codes WHERE phone_hash = %(phone_hash)s AND code_hash = %(code_hash)s RETURNING phone_hash

-- name: phone_codes_forget
DELETE FROM identity.phone_codes WHERE made_at < clock_timestamp() - make_interval(secs => %(lasts_s)s)

-- name: phone_code_message
INSERT INTO outbox.messages (id, kind, way, title, text, digest, audience, subject_id)
VALUES (%(id)s, %(kind)s, 'sms', %(title)s, %(text)s, %(digest)s, '{}', %(subject)s)

-- A code that nobody could send in its time is of no use, and its text says it in plain.
-- name: phone_code_messages_forget
UPDATE outbox.messages SET text = '', digest = '', state = CASE state WHEN 'waiting' THEN 'withdrawn' ELSE state END, recorded = true
WHERE kind = %(kind)s AND text <> '' AND created_at < clock_timestamp() - make_interval(secs => %(lasts_s)s)
