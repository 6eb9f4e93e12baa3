-- A new user and the opening entry of their ledger.
WITH created AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    VALUES (:id::uuid, :email::text, :password_hash::text, :role::text, :balance::numeric)
    RETURNING *
), opening AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'opening', balance, 0, balance, '{}' FROM created
)
SELECT json_build_object(
           'id', id, 'email', email, 'role', role, 'balance', trim_scale(balance),
           'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
FROM created
