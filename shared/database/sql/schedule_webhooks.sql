-- Set when the dispatcher reads these webhooks next: when their next delivery can be sent, or never if none is pending.
-- Run it in a transaction that has locked them before: a delivery that this statement does not see is written by a
-- transaction that waits for the lock, and then sets the time itself (wake_webhook). `is_due` is whether the webhook, or
-- another one of its user, can get a request now.
UPDATE webhooks w
SET due_at = (SELECT greatest(d.next_attempt_at, w.leased_until, w.not_before) FROM webhook_deliveries d
              WHERE d.webhook_id = w.id AND d.status = 'pending'
              ORDER BY d.next_attempt_at LIMIT 1)
WHERE w.id = ANY (:ids::uuid[])
RETURNING coalesce(w.due_at <= now(), false) AND w.paused_at IS NULL AND w.deleted_at IS NULL
          OR EXISTS (SELECT FROM webhooks other
                     WHERE other.user_id = w.user_id AND other.id <> w.id
                       AND other.due_at <= now() AND other.paused_at IS NULL AND other.deleted_at IS NULL) AS is_due
