-- Housekeeping: the tasks that nothing happened to for a day. Their upload never came, or the message that
-- led a worker to them is in the dead-letter queue. They end in the state from which their owner may go on.
-- So many at the most, and none that another transaction has just locked: nobody waits.
WITH over AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE status IN ('awaiting_upload', 'queued', 'processing') AND updated_at <= now() - interval '1 day'
    ORDER BY created_at
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), done AS (
    UPDATE tasks t
    SET status = 'cancelled',
        error = CASE WHEN t.status = 'awaiting_upload'
                     THEN 'No file came for a day, or nobody could begin it; resume it if you sent one.'
                     ELSE 'It could not go on for a day. What was charged is recorded; resume it to do the rest.' END,
        finished_at = now(), updated_at = now()
    FROM over
    WHERE t.id = over.id
    RETURNING 1
)
SELECT count(*) AS rows FROM done
