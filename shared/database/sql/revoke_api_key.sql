-- Revoke an API key of this user. Keys of clients are not audited. The role is that of the user: an admin's key without the
-- scope `admin`, which acts as a client, can revoke itself.
WITH revoked AS (
    UPDATE api_keys SET revoked_at = now()
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL
    RETURNING id, user_id, api_key_json(api_keys)::jsonb AS before
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before)
    SELECT :audit_id::uuid, u.id, 'revoke', 'api_key', r.id, r.before
    FROM revoked r JOIN users u ON u.id = r.user_id AND u.role = 'admin'
)
SELECT id FROM revoked
