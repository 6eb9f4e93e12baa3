-- Housekeeping: delete expired sessions. All other statements already ignore them.
WITH expired AS MATERIALIZED (
    SELECT id FROM sessions
    WHERE expires_at <= now()
    ORDER BY expires_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM sessions s USING expired WHERE s.id = expired.id RETURNING 1
)
SELECT count(*) AS rows FROM deleted
