-- One of a user's own API keys that is not revoked.
SELECT json_build_object('id', id, 'name', name, 'created_at', rfc3339(created_at))::text AS body
FROM api_keys
WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL
