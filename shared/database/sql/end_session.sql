-- End a session of this user, unless it has ended.
UPDATE sessions SET revoked_at = now()
WHERE id = :id::uuid AND user_id = :user_id::uuid AND revoked_at IS NULL AND expires_at > now()
RETURNING id
