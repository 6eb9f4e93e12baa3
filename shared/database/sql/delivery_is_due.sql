-- Return whether a webhook of this user can get a request now.
SELECT EXISTS (
    SELECT FROM webhooks w JOIN webhook_deliveries d ON d.webhook_id = w.id
    WHERE w.user_id = :user_id::uuid AND w.paused_at IS NULL AND w.deleted_at IS NULL
      AND d.status = 'pending' AND d.next_attempt_at <= now()
) AS is_due
