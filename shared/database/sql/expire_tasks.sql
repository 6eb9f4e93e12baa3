-- Housekeeping: cancel tasks that did not change for a day, because their file never arrived or their message
-- is in the dead-letter queue. Owners can resume them. A task that waits for another task of its owner is
-- cancelled only after restart_tasks has sent it a message without effect.
WITH abandoned AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE status IN ('awaiting_upload', 'queued', 'processing') AND updated_at <= now() - interval '1 day'
      AND (status <> 'queued' OR etag IS NULL
           OR restarted_at > updated_at AND NOT owner_is_busy(user_id, id))
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), cancelled AS (
    UPDATE tasks t
    SET status = 'cancelled',
        error = CASE WHEN t.status = 'awaiting_upload'
                     THEN 'No file arrived for a day, or no worker could start it. If you uploaded the file, resume the task.'
                     ELSE 'No worker could continue this task for a day. Its charged rows are recorded. Resume it to process the rest.' END,
        finished_at = now(), updated_at = now()
    FROM abandoned
    WHERE t.id = abandoned.id
    RETURNING 1
)
SELECT count(*) AS rows FROM cancelled
