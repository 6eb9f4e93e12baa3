-- Housekeeping: the keys whose time is over, an hour later, so that no call that is under way misses one.
-- So many at the most, and none that another transaction has just locked: nobody waits.
WITH over AS MATERIALIZED (
    SELECT user_id, key FROM idempotency_keys
    WHERE created_at <= now() - interval '73 hours'
    ORDER BY created_at
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), done AS (
    DELETE FROM idempotency_keys k USING over WHERE k.user_id = over.user_id AND k.key = over.key RETURNING 1
)
SELECT count(*) AS rows FROM done
