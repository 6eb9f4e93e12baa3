-- Housekeeping: fail exports that no worker could finish within a day, and delete exports 7 days after their end.
-- An export that a worker has updated within 10 minutes is being written, so it may finish.
WITH abandoned AS MATERIALIZED (
    SELECT id FROM exports
    WHERE status IN ('queued', 'processing') AND created_at <= now() - interval '1 day'
      AND updated_at <= now() - interval '10 minutes'
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), failed AS (
    UPDATE exports e
    SET status = 'failed', error = 'No worker could finish the export within a day. Create it again.',
        finished_at = now(), updated_at = now()
    FROM abandoned
    WHERE e.id = abandoned.id
    RETURNING 1
), expired AS MATERIALIZED (
    SELECT id FROM exports
    WHERE finished_at <= now() - interval '7 days'
    ORDER BY finished_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM exports e USING expired WHERE e.id = expired.id RETURNING 1
)
SELECT (SELECT count(*) FROM failed) + (SELECT count(*) FROM deleted) AS rows
