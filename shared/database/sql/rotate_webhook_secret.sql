-- Replace the secret of a webhook of this user. The previous one also signs for a day, and so do those of earlier
-- rotations until their day ends: the receiver may have any of them, because the response to a rotation may be lost.
-- Only the newest five sign, which limits the length of a request's header. `admin_id` is null for a client, whose
-- webhooks are not audited.
WITH rotated AS (
    UPDATE webhooks
    SET secret = :secret::text,
        previous_secrets = (
            SELECT jsonb_agg(newest.previous)
            FROM (SELECT previous
                  FROM jsonb_array_elements(
                      jsonb_build_object('secret', secret, 'expires_at', now() + interval '1 day')
                      || previous_secrets) WITH ORDINALITY AS kept (previous, position)
                  WHERE (previous ->> 'expires_at')::timestamptz > now()
                  ORDER BY position
                  LIMIT 5) newest)
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    RETURNING id, webhook_json(webhooks) AS webhook
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'rotate', 'webhook', id, '{"secret": "rotated"}'
    FROM rotated
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT join_json(webhook::json, json_build_object('secret', :secret::text)) AS body
FROM rotated
