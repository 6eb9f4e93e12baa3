-- A session for a user who gave the right password, if it still is: gives the attempt's tokens back, and keeps a
-- hash made anew.
WITH opened AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT :session_id::uuid, id, :refresh_id::uuid, now() + :lifetime::float8 * interval '1 second'
    FROM users
    WHERE id = :user_id::uuid AND deleted_at IS NULL AND password_hash = :verified_hash::text
    RETURNING user_id
), rehashed AS (
    UPDATE users u SET password_hash = :password_hash::text
    FROM opened WHERE u.id = opened.user_id AND :password_hash::text IS NOT NULL
), buckets AS MATERIALIZED (
    SELECT bucket FROM rate_limits
    WHERE bucket IN (:email_bucket::text, :address_bucket::text)
    ORDER BY bucket FOR UPDATE
), given_back AS (
    UPDATE rate_limits r SET tokens = r.tokens + 1 FROM buckets WHERE r.bucket = buckets.bucket
)
SELECT user_id FROM opened
