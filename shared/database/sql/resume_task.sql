-- Queue a task again that ran out of credit or was cancelled, if its owner has a resumption to spare (a token
-- bucket; an admin needs none). Run in a transaction with the sending of its message, so that neither happens
-- without the other. A task that no worker ever started may still lack its file. `body` is null if nothing was
-- resumed, and `wait` is the number of seconds until there is a token.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), turn AS MATERIALIZED (
    SELECT CASE WHEN :owner::uuid IS NULL THEN 0
                ELSE take_token('resume:' || user_id, :capacity::numeric, :per_second::numeric) END AS wait
    FROM found
    WHERE status IN ('out_of_credit', 'cancelled')
), resumed AS (
    UPDATE tasks t
    SET status = CASE WHEN t.etag IS NULL THEN 'awaiting_upload' ELSE 'queued' END,
        error = NULL, finished_at = NULL, errors_deleted = false, updated_at = now()
    FROM found, turn
    WHERE t.id = found.id AND turn.wait = 0
    RETURNING task_json(t) AS body
)
SELECT user_id, status, (SELECT wait FROM turn) AS wait, (SELECT body FROM resumed) AS body FROM found
