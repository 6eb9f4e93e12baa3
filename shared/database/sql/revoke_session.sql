-- Revoke a session, for sign-out.
UPDATE sessions SET revoked_at = now() WHERE id = :session_id::uuid AND revoked_at IS NULL
