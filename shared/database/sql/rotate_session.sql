-- Rotate a session's refresh token and return the id of the token to issue. For 10 seconds the replaced token
-- returns its successor, because two browser tabs may refresh with the same cookie at once. Any other old token
-- may be stolen, so it ends the session (RFC 9700, section 4.14). The lock makes the second of two parallel
-- refreshes see the rotation of the first.
WITH found AS MATERIALIZED (
    SELECT id, user_id, refresh_id,
           refresh_id = :refresh_id::uuid AS is_newest,
           previous_refresh_id IS NOT DISTINCT FROM :refresh_id::uuid
               AND rotated_at > now() - interval '10 seconds' AS was_just_replaced
    FROM sessions
    WHERE id = :session_id::uuid AND revoked_at IS NULL AND expires_at > now()
    FOR UPDATE
), rotated AS (
    UPDATE sessions s
    SET refresh_id = :next_id::uuid, previous_refresh_id = found.refresh_id, rotated_at = now(),
        expires_at = now() + :lifetime::float8 * interval '1 second'
    FROM found JOIN users u ON u.id = found.user_id AND u.deleted_at IS NULL AND u.status = 'active'
    WHERE s.id = found.id AND found.is_newest
    RETURNING s.refresh_id
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    FROM found WHERE s.id = found.id AND NOT found.is_newest AND found.was_just_replaced IS NOT TRUE
)
SELECT u.id, u.role, coalesce((SELECT refresh_id FROM rotated), found.refresh_id) AS refresh_id
FROM found JOIN users u ON u.id = found.user_id AND u.deleted_at IS NULL AND u.status = 'active'
WHERE found.is_newest OR found.was_just_replaced
