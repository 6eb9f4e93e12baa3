-- Soft-delete a user: free the e-mail, end the sessions, revoke the API keys and delete the webhooks. Run it in a
-- transaction after lock_user, so that it also ends those that were created while it waited for the user's row.
WITH deleted AS (
    UPDATE users SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL
    RETURNING id, user_json(users)::jsonb || '{"deleted_at": null}' AS before
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    FROM deleted WHERE s.user_id = deleted.id AND s.revoked_at IS NULL
), revoked AS (
    UPDATE api_keys k SET revoked_at = now()
    FROM deleted WHERE k.user_id = deleted.id AND k.revoked_at IS NULL
), unsubscribed AS (
    UPDATE webhooks w SET deleted_at = now(), secret = '', previous_secrets = '[]'
    FROM deleted WHERE w.user_id = deleted.id AND w.deleted_at IS NULL
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'delete', 'user', id, before,
           NULL
    FROM deleted
)
SELECT id FROM deleted
