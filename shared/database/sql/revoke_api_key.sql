-- Revoke an API key of this user.
UPDATE api_keys SET revoked_at = now()
WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL
RETURNING id
