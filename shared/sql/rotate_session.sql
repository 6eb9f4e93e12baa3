-- A refresh: the newest refresh token of a living session is swapped for the next. Any other of
-- that session was used before, so somebody has a copy: the session ends (RFC 9700, section 4.14).
-- The lock lets the second of two at the same moment see what the first did.
WITH found AS MATERIALIZED (
    SELECT id, user_id, refresh_id = :refresh_id::uuid AS newest
    FROM sessions
    WHERE id = :session_id::uuid AND revoked_at IS NULL AND expires_at > now()
    FOR UPDATE
), rotated AS (
    UPDATE sessions s
    SET refresh_id = :next_id::uuid, expires_at = now() + :lifetime::float8 * interval '1 second'
    FROM found JOIN users u ON u.id = found.user_id AND u.deleted_at IS NULL
    WHERE s.id = found.id AND found.newest
    RETURNING u.id, u.role
), ended AS (
    UPDATE sessions s SET revoked_at = now() FROM found WHERE s.id = found.id AND NOT found.newest
)
SELECT id, role FROM rotated
