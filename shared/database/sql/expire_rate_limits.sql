-- Housekeeping: the token buckets that nobody took from for an hour. Each has long been full again, as a
-- new one is. So many at the most, and none that another transaction has just locked: nobody waits.
WITH over AS MATERIALIZED (
    SELECT bucket FROM rate_limits
    WHERE filled_at <= now() - interval '1 hour'
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM rate_limits r USING over WHERE r.bucket = over.bucket RETURNING 1
)
SELECT count(*) AS rows FROM done
