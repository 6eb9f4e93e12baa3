-- Cancel the unfinished tasks of a user who becomes inactive, or only the task `id`. Run it before lock_user,
-- because all statements that lock both rows lock the task before its owner; or, for one task, in the
-- transaction of begin_chunk, which has locked both. restart_results sends the messages whose workers write the
-- results.
WITH found AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE user_id = :user_id::uuid AND (:id::uuid IS NULL OR id = :id::uuid)
      AND status IN ('awaiting_upload', 'queued', 'processing')
    ORDER BY id
    FOR UPDATE
)
UPDATE tasks t
SET status = 'cancelled',
    error = 'The account is inactive. Resume the task after an admin has activated the account.',
    finished_at = now(), updated_at = now(),
    has_worker = false, results_upload = NULL, results_parts = 0, results_row = 1
FROM found
WHERE t.id = found.id
