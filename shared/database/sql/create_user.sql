-- Create a user and the opening entry of the user's ledger. `balance` is in credits.
-- `admin_id` is null at set-up, which is not audited.
WITH created AS (
    INSERT INTO users (id, email, password_hash, role, balance, status)
    VALUES (:id::uuid, :email::text, :password_hash::text, :role::text, :balance::numeric, :status::text)
    RETURNING id, balance, user_json(users) AS body
), opening AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'opening', balance, 0, balance, '{}' FROM created
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'create', 'user', id, NULL,
           body::jsonb
    FROM created
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT body FROM created
