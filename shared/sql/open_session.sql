-- Open a session after the password was verified, return the attempt's tokens to their buckets, and store a
-- renewed hash. It locks the user's row and compares the hash on the locked row: a password change either sees the
-- new session and ends it, or comes first and then no session is opened.
WITH owner AS MATERIALIZED (
    SELECT id, role FROM users
    WHERE id = :user_id::uuid AND deleted_at IS NULL AND password_hash = :verified_hash::text
    FOR NO KEY UPDATE
), opened AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT :session_id::uuid, id, :refresh_id::uuid, now() + :lifetime::float8 * interval '1 second'
    FROM owner
), rehashed AS (
    UPDATE users u SET password_hash = :password_hash::text
    FROM owner WHERE u.id = owner.id AND :password_hash::text IS NOT NULL
), buckets AS MATERIALIZED (
    SELECT bucket FROM rate_limits
    WHERE bucket IN (:email_bucket::text, :address_bucket::text)
    ORDER BY bucket FOR UPDATE
), given_back AS (
    UPDATE rate_limits r SET tokens = r.tokens + 1 FROM buckets WHERE r.bucket = buckets.bucket
)
SELECT id, role FROM owner
