-- Fail a task that can't be processed. `error` is the reason for its owner. A task that awaits its upload stays
-- as it is, unless S3 announced the file. The owner's row is locked for the same reason as in cancel_task.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status FROM tasks WHERE id = :id::uuid FOR UPDATE
), owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = (SELECT user_id FROM found) FOR NO KEY UPDATE
)
UPDATE tasks t
SET status = 'failed', error = :error::text, finished_at = now(), updated_at = now(),
    has_worker = false, results_upload = NULL, results_parts = 0, results_row = 1
FROM found, owner
WHERE t.id = found.id
  AND (found.status IN ('queued', 'processing')
       OR (found.status = 'awaiting_upload' AND :announced::boolean))
RETURNING t.id
