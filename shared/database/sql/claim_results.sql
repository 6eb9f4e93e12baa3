-- Claim the results of a task that has ended but not completed, unless another worker writes them. No row if there
-- is nothing to write. `finished_at` identifies this end of the task: a resumption clears it.
UPDATE tasks SET has_worker = true, updated_at = now()
WHERE id = :id::uuid AND user_id = :user_id::uuid
  AND finished_at IS NOT NULL AND results_at IS NULL AND status <> 'completed'
  AND (:redelivered::boolean OR NOT has_worker OR updated_at <= now() - interval '1 minute')
RETURNING finished_at, rows_done, results_upload, results_parts, results_row
