-- Queue a task again that ended out of credit or cancelled. Run in a transaction with the sending
-- of its message, so that neither happens without the other. One that was never begun may still be
-- without its file. The body is null when there was nothing to resume.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), resumed AS (
    UPDATE tasks t
    SET status = CASE WHEN t.etag IS NULL THEN 'awaiting_upload' ELSE 'queued' END,
        error = NULL, finished_at = NULL, updated_at = now()
    FROM found
    WHERE t.id = found.id AND found.status IN ('out_of_credit', 'cancelled')
    RETURNING task_json(t) AS body
)
SELECT user_id, status, (SELECT body FROM resumed) AS body FROM found
