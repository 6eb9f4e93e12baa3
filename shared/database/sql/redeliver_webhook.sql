-- Make a delivery of a webhook of this user due again, with all its attempts, if the user may cause another one now (a
-- token bucket). `body` is null if the webhook is paused, or if `wait` seconds are left until then.
WITH found AS MATERIALIZED (
    SELECT d.id, w.user_id, w.paused_at IS NOT NULL AS paused
    FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
    WHERE d.id = :id::uuid AND d.webhook_id = :webhook_id::uuid AND w.user_id = :user_id::uuid
      AND w.deleted_at IS NULL
    FOR UPDATE OF d
), token AS MATERIALIZED (
    SELECT take_token('webhook:' || user_id, :capacity::numeric, :per_second::numeric) AS wait
    FROM found
    WHERE NOT paused
), redelivered AS (
    UPDATE webhook_deliveries d
    SET status = 'pending', attempts = 0, next_attempt_at = now(), deadline = now() + interval '4 days', ended_at = NULL
    FROM found, token
    WHERE d.id = found.id AND token.wait = 0
    RETURNING webhook_delivery_json(d) AS body
)
SELECT paused, (SELECT wait FROM token) AS wait, (SELECT body FROM redelivered) AS body FROM found
