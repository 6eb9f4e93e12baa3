-- Create a webhook. No row if the user has 10. `body` is null if the user's token bucket is empty, and `wait` is the seconds
-- until it has a token. Run it in a transaction after lock_user, so that parallel requests count each other's webhooks.
-- `admin_id` is null for a client, whose webhooks are not audited.
WITH existing AS MATERIALIZED (
    SELECT count(*) AS webhooks FROM webhooks WHERE user_id = :user_id::uuid AND deleted_at IS NULL
), token AS MATERIALIZED (
    SELECT take_token('new-webhook:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
    FROM existing
    WHERE existing.webhooks < 10
), created AS (
    INSERT INTO webhooks (id, user_id, url, events, description, secret)
    SELECT :id::uuid, :user_id::uuid, :url::text, :events::text[], :description::text, :secret::text
    FROM token
    WHERE token.wait = 0
    RETURNING id, webhook_json(webhooks) AS webhook
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'create', 'webhook', id, webhook::jsonb
    FROM created
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT wait,
       (SELECT join_json(webhook::json, json_build_object('secret', :secret::text)) FROM created) AS body
FROM token
