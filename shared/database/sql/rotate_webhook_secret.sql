-- Replace the secret of a webhook of this user. The previous one also signs for a day. `admin_id` is null for a client,
-- whose webhooks are not audited.
WITH rotated AS (
    UPDATE webhooks
    SET previous_secret = secret, previous_secret_expires_at = now() + interval '1 day', secret = :secret::text
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    RETURNING id, previous_secret_expires_at, webhook_json(webhooks) AS webhook
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'rotate', 'webhook', id, '{"secret": "rotated"}'
    FROM rotated
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT join_json(webhook::json, json_build_object(
           'secret', :secret::text, 'previous_secret_expires_at', rfc3339(previous_secret_expires_at))) AS body
FROM rotated
