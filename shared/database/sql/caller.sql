-- Who is calling: the living user behind a session or an API key that was not revoked.
SELECT u.id, u.role
FROM users u
WHERE u.deleted_at IS NULL
  AND u.id = coalesce(
      (SELECT s.user_id FROM sessions s
       WHERE s.id = :session_id::uuid AND s.revoked_at IS NULL AND s.expires_at > now()),
      (SELECT k.user_id FROM api_keys k
       WHERE k.key_hash = :api_key_hash::bytea AND k.revoked_at IS NULL))
