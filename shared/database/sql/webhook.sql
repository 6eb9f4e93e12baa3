-- Return a webhook of this user, without its secrets.
SELECT webhook_json(webhooks) AS body
FROM webhooks
WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
