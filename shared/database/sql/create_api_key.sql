-- Store the hash of an API key, unless the user has 100 keys that are not revoked, and delete all but the
-- newest 100 revoked keys. Run it in a transaction after lock_user, so that parallel requests count each
-- other's keys. `admin_id` is null for a client, whose keys are not audited.
WITH active AS MATERIALIZED (
    SELECT count(*) AS keys FROM api_keys WHERE user_id = :user_id::uuid AND revoked_at IS NULL
), deleted AS (
    DELETE FROM api_keys
    WHERE id IN (SELECT id FROM api_keys
                 WHERE user_id = :user_id::uuid AND revoked_at IS NOT NULL
                 ORDER BY revoked_at DESC OFFSET 100)
), created AS (
    INSERT INTO api_keys (id, user_id, name, key_hash, scopes, expires_at, limit_amount, limit_per)
    SELECT :id::uuid, :user_id::uuid, :name::text, :key_hash::bytea, :scopes::text[], :expires_at::timestamptz,
           :limit_amount::numeric, :limit_per::text
    FROM active
    WHERE keys < 100
    RETURNING id, api_key_json(api_keys) AS api_key
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'create', 'api_key', id, api_key::jsonb
    FROM created
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT join_json(api_key::json, json_build_object('key', :key::text)) AS body FROM created
