-- Open a session after the password was verified, delete the oldest sessions beyond 50, and store a renewed
-- password hash. The throttle is checked again because parallel guesses are all verified before the first
-- failure is counted. The hash is compared on the locked row. If a concurrent password change commits first, no
-- session is opened; otherwise the change waits for this statement and ends the session. `wait` is in seconds;
-- `id` is null if the hash has changed. For an inactive user `status` is returned, but no session is opened.
WITH throttle AS MATERIALIZED (
    SELECT sign_in_wait(
        :address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric) AS wait
), owner AS MATERIALIZED (
    SELECT id, role, status FROM users
    WHERE id = :user_id::uuid AND deleted_at IS NULL AND password_hash = :verified_hash::text
      AND (SELECT wait FROM throttle) = 0
    FOR NO KEY UPDATE
), opened AS (
    INSERT INTO sessions (id, user_id, refresh_id, expires_at)
    SELECT :session_id::uuid, id, :refresh_id::uuid, now() + :lifetime::float8 * interval '1 second'
    FROM owner
    WHERE status = 'active'
), deleted AS (
    -- Keep 49 sessions besides the new one: valid ones first, then the newest. Parallel sign-ins can exceed the
    -- limit until the next sign-in.
    DELETE FROM sessions
    WHERE id IN (SELECT s.id FROM sessions s JOIN owner ON s.user_id = owner.id AND owner.status = 'active'
                 ORDER BY s.revoked_at IS NULL AND s.expires_at > now() DESC, s.created_at DESC OFFSET 49)
), rehashed AS (
    UPDATE users u SET password_hash = :password_hash::text
    FROM owner WHERE u.id = owner.id AND :password_hash::text IS NOT NULL
)
SELECT throttle.wait, owner.id, owner.role, owner.status FROM throttle LEFT JOIN owner ON true
