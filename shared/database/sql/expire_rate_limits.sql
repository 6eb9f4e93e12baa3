-- Housekeeping: delete token buckets unused for an hour. They are full by then, and a missing bucket counts as
-- full.
WITH unused AS MATERIALIZED (
    SELECT bucket FROM rate_limits
    WHERE filled_at <= now() - interval '1 hour'
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM rate_limits r USING unused WHERE r.bucket = unused.bucket RETURNING 1
)
SELECT count(*) AS rows FROM deleted
