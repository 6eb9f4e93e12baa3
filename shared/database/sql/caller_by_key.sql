-- Return the id and role of the user of a valid API key, and its scopes. Store when the key was used, at most once an
-- hour. A statement of its own, because the update would cost a lookup of a session half as much again.
WITH caller AS MATERIALIZED (
    SELECT id, role, api_key_id, scopes FROM caller_with_key(:session_id::uuid, :api_key_hash::bytea)
), used AS (
    UPDATE api_keys k SET last_used_at = now()
    FROM caller
    WHERE k.id = caller.api_key_id
      AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 hour')
)
SELECT id, role, api_key_id, scopes FROM caller
