-- A session for a user who gave the right password: gives the attempt's tokens back, and keeps a
-- hash made anew.
WITH opened AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT :session_id::uuid, id, :refresh_id::uuid, now() + :lifetime::float8 * interval '1 second'
    FROM users
    WHERE id = :user_id::uuid AND deleted_at IS NULL
    RETURNING user_id
), rehashed AS (
    UPDATE users u SET password_hash = :password_hash::text
    FROM opened WHERE u.id = opened.user_id AND :password_hash::text IS NOT NULL
), given_back AS (
    UPDATE rate_limits SET tokens = tokens + 1
    WHERE bucket IN (:email_bucket::text, :address_bucket::text)
)
SELECT user_id FROM opened
