-- Create a user and the opening entry of the user's ledger. `balance` is in credits.
WITH created AS (
    INSERT INTO users (id, email, password_hash, role, balance, status)
    VALUES (:id::uuid, :email::text, :password_hash::text, :role::text, :balance::numeric, :status::text)
    RETURNING id, balance, user_json(users) AS body
), opening AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'opening', balance, 0, balance, '{}' FROM created
)
SELECT body FROM created
