-- Write a test event for one webhook of this user, whatever events it is subscribed to. `body` is null if the webhook
-- is paused, or if the user's token bucket is empty; `wait` is the seconds until it has a token.
WITH webhook AS MATERIALIZED (
    -- Before the token, as redeliver_webhook does: the delivery's trigger locks the webhook, and would deadlock with it.
    SELECT id, user_id, paused_at IS NOT NULL AS paused
    FROM webhooks
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), token AS MATERIALIZED (
    -- The time after the lock, so that this event is later than those for which it waited.
    SELECT take_token('webhook:' || user_id, :capacity::numeric, :per_second::numeric) AS wait,
           clock_timestamp() AS moment
    FROM webhook
    WHERE NOT paused
), event AS (
    INSERT INTO webhook_events (id, user_id, type, body, created_at)
    SELECT :event_id::uuid, webhook.user_id, 'webhook.test',
           event_body('webhook.test', moment, json_build_object('webhook_id', webhook.id)), moment
    FROM webhook, token
    WHERE token.wait = 0
    RETURNING id, user_id, type, created_at
), delivery AS (
    INSERT INTO webhook_deliveries (id, user_id, webhook_id, event_id, type, created_at, next_attempt_at, deadline)
    SELECT :delivery_id::uuid, event.user_id, webhook.id, event.id, event.type, event.created_at, event.created_at,
           event.created_at + interval '4 days'
    FROM event, webhook
    RETURNING webhook_delivery_json(webhook_deliveries) AS body
)
SELECT paused, (SELECT wait FROM token) AS wait, (SELECT body FROM delivery) AS body FROM webhook
