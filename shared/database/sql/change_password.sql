-- Change the password of the user of a session, and end the user's other sessions. API keys stay. Run it in a
-- transaction after lock_user, so that it also ends the sessions that were opened while it waited for the user's
-- row. `signed_in` is whether the session is still valid, and `id` is null if nothing was changed: the session has
-- ended, the hash is no longer the verified one, or the throttle's `wait` in seconds is not 0.
WITH caller AS MATERIALIZED (
    SELECT id FROM caller_with_key(:session_id::uuid, NULL)
), throttle AS MATERIALIZED (
    SELECT sign_in_wait(
        :address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric) AS wait
), changed AS (
    UPDATE users u SET password_hash = :password_hash::text
    FROM caller, throttle
    WHERE u.id = caller.id AND u.password_hash = :verified_hash::text AND throttle.wait = 0
    RETURNING u.id
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    FROM changed
    WHERE s.user_id = changed.id AND s.id <> :session_id::uuid AND s.revoked_at IS NULL
)
SELECT throttle.wait, EXISTS (SELECT FROM caller) AS signed_in, (SELECT id FROM changed) AS id FROM throttle
