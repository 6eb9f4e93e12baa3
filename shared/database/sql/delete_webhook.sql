-- Delete a webhook of this user, and its secrets: a request under way is signed already. Its row stays until housekeeping
-- has deleted its deliveries. `admin_id` is null for a client, whose webhooks are not audited.
WITH deleted AS (
    UPDATE webhooks SET deleted_at = now(), secret = '', previous_secrets = '[]'
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    RETURNING id, webhook_json(webhooks)::jsonb AS before
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before)
    SELECT :audit_id::uuid, :admin_id::uuid, 'delete', 'webhook', id, before
    FROM deleted
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT id FROM deleted
