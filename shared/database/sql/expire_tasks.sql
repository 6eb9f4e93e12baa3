-- Housekeeping: cancel tasks that did not change for a day, because their file never arrived or their message
-- is in the dead-letter queue. Owners can resume them. A queued task is cancelled only if it stayed queued after
-- restart_tasks sent it a message and no other task of its owner is being processed.
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
                     THEN 'No file arrived within a day, or no worker could start the task. If you uploaded the file, resume the task.'
                     ELSE 'No worker could continue the task for a day. The charged rows are recorded. Resume the task to process the rest.' END,
        finished_at = now(), updated_at = now(),
        has_worker = false, results_upload = NULL, results_parts = 0, results_row = 1
    FROM abandoned
    WHERE t.id = abandoned.id
    RETURNING 1
)
SELECT count(*) AS rows FROM cancelled
