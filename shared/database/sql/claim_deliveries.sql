-- Claim the next due delivery of each webhook that has no request under way, for as many webhooks as `row_limit`, so that
-- each user has at most `lease_limit` requests under way. Commit before sending the messages to the sender: the claim locks
-- the webhooks, and a transaction that writes an event waits for these locks (wake_webhook). Run release_delivery for each
-- message that was not sent. Otherwise a claim ends when its result is recorded, or after `lease` seconds: the dispatcher,
-- the sender, or a message, was lost. A claim without a result is no attempt: a delivery does not fail for the service's own
-- losses. A row without `delivery_id` is a webhook that is not due, although its `due_at` has passed: run schedule_webhooks
-- for it in the same transaction.
WITH due AS MATERIALIZED (
    SELECT w.id, w.url,
           w.secret || ARRAY(SELECT previous ->> 'secret' FROM jsonb_array_elements(w.previous_secrets) previous
                             WHERE (previous ->> 'expires_at')::timestamptz > now()) AS secrets,
           d.id AS delivery_id, d.event_id
    FROM webhooks w
    JOIN users u ON u.id = w.user_id
    LEFT JOIN LATERAL (
        SELECT id, event_id, next_attempt_at FROM webhook_deliveries
        WHERE webhook_id = w.id AND status = 'pending'
        ORDER BY next_attempt_at LIMIT 1
    ) d ON d.next_attempt_at <= now() AND coalesce(greatest(w.leased_until, w.not_before) <= now(), true)
    WHERE w.due_at <= now() AND w.paused_at IS NULL AND w.deleted_at IS NULL
      AND u.status = 'active' AND u.deleted_at IS NULL
      -- The user's requests under way, also to deleted webhooks, and those that come before this one. A parallel claim
      -- counts in the same order, so it chooses the same webhooks and skips them.
      AND (SELECT count(*) FROM webhooks other
           WHERE other.user_id = w.user_id AND (other.deleted_at IS NULL OR other.leased_until IS NOT NULL)
             AND (other.leased_until > now()
                  OR (other.due_at, other.id) < (w.due_at, w.id) AND other.paused_at IS NULL AND other.deleted_at IS NULL)
          ) < :lease_limit::bigint
    ORDER BY w.due_at, w.id
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
    SET attempt_id = new_uuid7(), leased_until = now() + :lease::float8 * interval '1 second',
        due_at = now() + :lease::float8 * interval '1 second'
    FROM claimed
    WHERE w.id = claimed.webhook_id
    RETURNING w.id, w.attempt_id, w.leased_until
)
SELECT due.id AS webhook_id, claimed.id AS delivery_id, leased.attempt_id, claimed.attempts + 1 AS number,
       due.url, due.secrets, due.event_id, e.body,
       extract(epoch FROM leased.leased_until)::float8 AS expires_at
FROM due
LEFT JOIN claimed ON claimed.webhook_id = due.id
LEFT JOIN leased ON leased.id = due.id
LEFT JOIN webhook_events e ON e.id = due.event_id
