-- Create a client at the first sign-in: the user, the opening ledger entry and the session. `balance` is in
-- credits, `lifetime` in seconds.
WITH created AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    VALUES (:user_id::uuid, :email::text, :password_hash::text, 'client', :balance::numeric)
    RETURNING id, balance
), opening AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'opening', balance, 0, balance, '{}' FROM created
), opened AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT :session_id::uuid, id, :refresh_id::uuid, now() + :lifetime::float8 * interval '1 second'
    FROM created
)
SELECT id FROM created
