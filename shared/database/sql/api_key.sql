-- Return an API key of this user, unless it is revoked.
SELECT api_key_json(api_keys) AS body
FROM api_keys
WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL
