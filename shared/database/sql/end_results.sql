-- Release the results of a task that has ended, and publish them if they are complete (`written`). No row if the
-- task was resumed meanwhile, or another worker has published them.
UPDATE tasks
SET results_at = CASE WHEN :written::boolean THEN now() END, has_worker = false, updated_at = now()
WHERE id = :id::uuid AND finished_at = :finished_at::timestamptz AND results_at IS NULL
RETURNING id
