-- Store the hash of an API key, unless the user has 100 keys that are not revoked, and delete all but the
-- newest 100 revoked keys. Run it in a transaction after lock_user, so that parallel requests count each
-- other's keys.
WITH active AS MATERIALIZED (
    SELECT count(*) AS keys FROM api_keys WHERE user_id = :user_id::uuid AND revoked_at IS NULL
), deleted AS (
    DELETE FROM api_keys
    WHERE id IN (SELECT id FROM api_keys
                 WHERE user_id = :user_id::uuid AND revoked_at IS NOT NULL
                 ORDER BY revoked_at DESC OFFSET 100)
)
INSERT INTO api_keys (id, user_id, name, key_hash, scopes, expires_at, limit_amount, limit_per)
SELECT :id::uuid, :user_id::uuid, :name::text, :key_hash::bytea, :scopes::text[], :expires_at::timestamptz,
       :limit_amount::numeric, :limit_per::text
FROM active
WHERE keys < 100
RETURNING join_json(api_key_json(api_keys)::json, json_build_object('key', :key::text)) AS body
