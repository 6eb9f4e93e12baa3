-- Change a user; a null leaves its column unchanged. A new balance writes the difference to the ledger; a new
-- password ends the user's sessions and API keys. An inactive user's sessions end too; the API keys stay, and
-- work again once the user is active. Reactivation resets the failures of the user's webhooks: three days of
-- failures pause a webhook, and during the inactivity no request could succeed. Run it in a transaction after
-- lock_user, so that it also ends the sessions and keys that were created while it waited for the user's row.
WITH before AS MATERIALIZED (
    SELECT id, balance, status, user_json(users)::jsonb AS body
    FROM users
    WHERE id = :id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), changed AS (
    UPDATE users u
    SET email = coalesce(:email::text, u.email),
        password_hash = coalesce(:password_hash::text, u.password_hash),
        role = coalesce(:role::text, u.role),
        balance = coalesce(:balance::numeric, u.balance),
        status = coalesce(:status::text, u.status)
    FROM before
    WHERE u.id = before.id
    RETURNING u.id, u.balance, before.balance AS balance_before, before.body AS before,
              before.status <> 'active' AND u.status = 'active' AS was_activated,
              user_json(u)::jsonb || CASE WHEN :password_hash::text IS NULL THEN '{}'::jsonb
                                          ELSE '{"password": "changed"}' END AS after
), adjustment AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'adjustment', balance - balance_before, balance_before, balance,
           jsonb_build_object('adjusted_by', :admin_id::uuid)
    FROM changed
    WHERE balance <> balance_before
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    FROM changed
    WHERE s.user_id = changed.id AND s.revoked_at IS NULL
      AND (:password_hash::text IS NOT NULL OR :status::text = 'inactive')
), revoked AS (
    UPDATE api_keys k SET revoked_at = now()
    FROM changed
    WHERE k.user_id = changed.id AND k.revoked_at IS NULL AND :password_hash::text IS NOT NULL
), recovered AS (
    UPDATE webhooks w
    SET failures = 0, failing_since = NULL, not_before = NULL, due_at = greatest(now(), w.leased_until)
    FROM changed
    WHERE w.user_id = changed.id AND changed.was_activated AND w.failures > 0
      AND w.paused_at IS NULL AND w.deleted_at IS NULL
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'update', 'user', id, changed_members(before, after),
           changed_members(after, before)
    FROM changed
)
SELECT id FROM changed
