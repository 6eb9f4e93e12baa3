-- Housekeeping: delete idempotency keys one hour after they expire, so that a running request still finds its
-- key. `row_limit` limits how long a request waits for this statement. With SKIP LOCKED, it waits for no request.
WITH expired AS MATERIALIZED (
    SELECT user_id, key FROM idempotency_keys
    WHERE created_at <= now() - interval '73 hours'
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM idempotency_keys k USING expired WHERE k.user_id = expired.user_id AND k.key = expired.key RETURNING 1
)
SELECT count(*) AS rows FROM deleted
