-- Make a delivery of a webhook of this user due at once, and reset its number of attempts. A delivery that is due already
-- keeps its place among the webhook's deliveries. `body` is null if the webhook is paused, or if the user's token bucket is
-- empty; `wait` is the seconds until it has a token.
WITH webhook AS MATERIALIZED (
    -- Before the delivery, as the dispatcher and the recorder do: in another order they could deadlock.
    SELECT id, user_id, paused_at IS NOT NULL AS paused
    FROM webhooks
    WHERE id = :webhook_id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), found AS MATERIALIZED (
    SELECT d.id, webhook.user_id, webhook.paused
    FROM webhook JOIN webhook_deliveries d ON d.webhook_id = webhook.id
    WHERE d.id = :id::uuid
    FOR UPDATE OF d
), token AS MATERIALIZED (
    SELECT take_token('webhook:' || user_id, :capacity::numeric, :per_second::numeric) AS wait
    FROM found
    WHERE NOT paused
), redelivered AS (
    UPDATE webhook_deliveries d
    SET status = 'pending', attempts = 0, deadline = now() + interval '4 days', ended_at = NULL,
        next_attempt_at = CASE WHEN status = 'pending' THEN least(next_attempt_at, now()) ELSE now() END
    FROM found, token
    WHERE d.id = found.id AND token.wait = 0
    RETURNING webhook_delivery_json(d) AS body
)
SELECT paused, (SELECT wait FROM token) AS wait, (SELECT body FROM redelivered) AS body FROM found
