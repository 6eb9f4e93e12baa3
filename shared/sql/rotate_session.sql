-- A refresh: the newest refresh token of a living session is swapped for the next. Any other of
-- that session was used before, so somebody has a copy: the session ends (RFC 9700, section 4.14).
WITH rotated AS (
    UPDATE sessions s
    SET refresh_id = :next_id::uuid, expires_at = now() + :lifetime::float8 * interval '1 second'
    FROM users u
    WHERE s.id = :session_id::uuid AND s.refresh_id = :refresh_id::uuid
      AND s.revoked_at IS NULL AND s.expires_at > now()
      AND u.id = s.user_id AND u.deleted_at IS NULL
    RETURNING u.id, u.role
), ended AS (
    UPDATE sessions s SET revoked_at = now()
    WHERE s.id = :session_id::uuid AND s.refresh_id <> :refresh_id::uuid AND s.revoked_at IS NULL
)
SELECT id, role FROM rotated
