-- Revoke an API key of this user. `admin_id` is null for a client, whose keys are not audited.
WITH revoked AS (
    UPDATE api_keys SET revoked_at = now()
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL
    RETURNING id, api_key_json(api_keys)::jsonb AS before
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before)
    SELECT :audit_id::uuid, :admin_id::uuid, 'revoke', 'api_key', id, before
    FROM revoked
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT id FROM revoked
