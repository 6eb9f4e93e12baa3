-- Housekeeping: cancel the tasks that nothing happened to for a day. Their file never came, or their message
-- is in the dead-letter queue. Their owner may resume them. A task that only waits for another task of its
-- owner stays, until restart_tasks has sent it a message in vain. A limited number at a time, and none that
-- another transaction has locked.
WITH over AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE status IN ('awaiting_upload', 'queued', 'processing') AND updated_at <= now() - interval '1 day'
      AND (status <> 'queued' OR etag IS NULL
           OR restarted_at > updated_at AND NOT owner_is_busy(user_id, id))
    ORDER BY created_at
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), done AS (
    UPDATE tasks t
    SET status = 'cancelled',
        error = CASE WHEN t.status = 'awaiting_upload'
                     THEN 'No file arrived for a day, or no worker could start it. If you uploaded one, resume it.'
                     ELSE 'No worker could go on with it for a day. What was charged is recorded; resume it to do the rest.' END,
        finished_at = now(), updated_at = now()
    FROM over
    WHERE t.id = over.id
    RETURNING 1
)
SELECT count(*) AS rows FROM done
