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
), buckets AS MATERIALIZED (
    SELECT bucket FROM rate_limits
    WHERE bucket IN (:email_bucket::text, :address_bucket::text)
    ORDER BY bucket FOR UPDATE
), given_back AS (
    UPDATE rate_limits r SET tokens = r.tokens + 1 FROM buckets WHERE r.bucket = buckets.bucket
)
SELECT id FROM created
