-- A first sign-in: the account, its opening entry and its session.
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
), given_back AS (
    UPDATE rate_limits SET tokens = tokens + 1
    WHERE bucket IN (:email_bucket::text, :address_bucket::text)
)
SELECT id FROM created
