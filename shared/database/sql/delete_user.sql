-- Soft-delete a user: free the e-mail, end the sessions and revoke the API keys. Run it in a transaction after
-- lock_user, so that it also ends the sessions and keys that were created while it waited for the user's row.
WITH deleted AS (
    UPDATE users SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL RETURNING id
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    FROM deleted WHERE s.user_id = deleted.id AND s.revoked_at IS NULL
), revoked AS (
    UPDATE api_keys k SET revoked_at = now()
    FROM deleted WHERE k.user_id = deleted.id AND k.revoked_at IS NULL
)
SELECT id FROM deleted
