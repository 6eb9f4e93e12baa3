-- Return whether a webhook of this user can get a request now.
SELECT EXISTS (
    SELECT FROM webhooks
    WHERE user_id = :user_id::uuid AND due_at <= now() AND paused_at IS NULL AND deleted_at IS NULL
) AS is_due
