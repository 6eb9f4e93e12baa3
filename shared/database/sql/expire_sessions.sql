-- Housekeeping: the sessions whose last refresh token has run out. To everybody else they are gone already.
-- So many at the most, and none that another transaction has just locked: nobody waits.
WITH over AS MATERIALIZED (
    SELECT id FROM sessions
    WHERE expires_at <= now()
    ORDER BY expires_at
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM sessions s USING over WHERE s.id = over.id RETURNING 1
)
SELECT count(*) AS rows FROM done
