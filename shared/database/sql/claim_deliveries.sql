-- Claim the next due delivery of each webhook that has no request under way, for as many webhooks as `row_limit`.
-- Run it in one transaction with sending the messages to the sender: then a delivery whose message was not sent is
-- not claimed. `waiting` finds the webhooks with pending deliveries by one step of the index each, however many
-- deliveries wait. A claim ends when its result is recorded, or after `lease` seconds: the sender, or a message,
-- was lost. A claim without a result is no attempt: a delivery does not fail for the service's own losses.
WITH RECURSIVE waiting AS (
    (SELECT webhook_id FROM webhook_deliveries WHERE status = 'pending' ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM webhook_deliveries d
            WHERE d.status = 'pending' AND d.webhook_id > waiting.webhook_id
            ORDER BY d.webhook_id LIMIT 1)
    FROM waiting
    WHERE waiting.webhook_id IS NOT NULL
), due AS MATERIALIZED (
    SELECT w.id, w.url,
           w.secret || ARRAY(SELECT previous ->> 'secret' FROM jsonb_array_elements(w.previous_secrets) previous
                             WHERE (previous ->> 'expires_at')::timestamptz > now()) AS secrets,
           d.id AS delivery_id, d.event_id
    FROM waiting
    JOIN webhooks w ON w.id = waiting.webhook_id
    JOIN users u ON u.id = w.user_id
    CROSS JOIN LATERAL (
        SELECT id, event_id, next_attempt_at FROM webhook_deliveries
        WHERE webhook_id = w.id AND status = 'pending'
        ORDER BY next_attempt_at LIMIT 1
    ) d
    WHERE d.next_attempt_at <= now()
      AND w.paused_at IS NULL AND w.deleted_at IS NULL
      AND (w.leased_until IS NULL OR w.leased_until <= now())
      AND (w.not_before IS NULL OR w.not_before <= now())
      AND u.status = 'active' AND u.deleted_at IS NULL
    ORDER BY d.next_attempt_at
    LIMIT :row_limit::bigint
    FOR NO KEY UPDATE OF w SKIP LOCKED
), claimed AS MATERIALIZED (
    -- The lock makes the condition apply to the newest version: meanwhile, a late result may have ended the delivery.
    SELECT d.id, d.webhook_id, d.attempts
    FROM webhook_deliveries d JOIN due ON due.delivery_id = d.id
    WHERE d.status = 'pending'
    FOR NO KEY UPDATE OF d
), leased AS (
    UPDATE webhooks w
    SET attempt_id = new_uuid7(), leased_until = now() + :lease::float8 * interval '1 second'
    FROM claimed
    WHERE w.id = claimed.webhook_id
    RETURNING w.id, w.attempt_id, w.leased_until
)
SELECT leased.attempt_id, claimed.id AS delivery_id, leased.id AS webhook_id, claimed.attempts + 1 AS number,
       due.url, due.secrets, due.event_id, e.body,
       extract(epoch FROM leased.leased_until)::float8 AS expires_at
FROM leased
JOIN claimed ON claimed.webhook_id = leased.id
JOIN due ON due.id = leased.id
JOIN webhook_events e ON e.id = due.event_id
