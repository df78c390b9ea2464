-- name: pseudonym_key
SELECT key FROM vault.pseudonym_key
