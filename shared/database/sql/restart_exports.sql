-- Select exports whose message was lost: unfinished ones that no worker has updated for a minute. Each is
-- selected at most once an hour, because SQS retries a failing message for 43 minutes. Exports locked by another
-- transaction are skipped.
WITH lost AS MATERIALIZED (
    SELECT id FROM exports
    WHERE status IN ('queued', 'processing') AND updated_at <= now() - interval '1 minute'
      AND (restarted_at IS NULL OR restarted_at <= now() - interval '1 hour')
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE exports e SET restarted_at = now()
FROM lost
WHERE e.id = lost.id
RETURNING e.id, e.user_id, e.format
