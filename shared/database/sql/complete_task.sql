-- Complete a task whose rows are all billed and whose results are in S3, or end a dry run whose rows are all
-- checked as `quoted`. The owner's row is locked for the same reason as in cancel_task. No row if the task is no
-- longer `processing`.
WITH found AS MATERIALIZED (
    SELECT id, user_id FROM tasks
    WHERE id = :id::uuid AND status = 'processing' AND bytes_done = bytes_total
      AND dry_run = :dry_run::boolean
    FOR UPDATE
), owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = (SELECT user_id FROM found) FOR NO KEY UPDATE
)
UPDATE tasks t
SET status = CASE WHEN t.dry_run THEN 'quoted' ELSE 'completed' END,
    results_at = CASE WHEN NOT t.dry_run THEN now() END,
    finished_at = now(), updated_at = now(), has_worker = false
FROM found, owner
WHERE t.id = found.id
RETURNING t.id
