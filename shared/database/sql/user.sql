-- Return a user, unless deleted.
SELECT user_json(users) AS body FROM users WHERE id = :id::uuid AND deleted_at IS NULL
