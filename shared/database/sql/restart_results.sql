-- Select tasks that have ended and whose results no worker writes: their message was lost, or housekeeping
-- cancelled them. Each is selected at most once an hour, because SQS retries a failing message for 43 minutes.
-- Tasks whose bad rows have been deleted are not selected.
WITH lost AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE finished_at IS NOT NULL AND results_at IS NULL AND status <> 'completed' AND NOT errors_deleted
      AND updated_at <= now() - interval '1 minute'
      AND (restarted_at IS NULL OR restarted_at < finished_at OR restarted_at <= now() - interval '1 hour')
    ORDER BY finished_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE tasks t SET restarted_at = now(), has_message = true
FROM lost
WHERE t.id = lost.id
RETURNING t.id, t.user_id
