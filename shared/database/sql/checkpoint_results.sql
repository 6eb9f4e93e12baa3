-- Save the position in a task's results after a part was uploaded to S3, so that the next worker continues
-- there. `finished_at` is null for a task that completes with these results. No row if another worker has saved a
-- later position, or the task was cancelled or resumed.
UPDATE tasks
SET results_upload = :upload_id::text, results_parts = :parts::int, results_row = :next_row::bigint,
    updated_at = now()
WHERE id = :id::uuid AND results_row = :row::bigint
  AND CASE WHEN :finished_at::timestamptz IS NULL THEN status = 'processing'
           ELSE finished_at = :finished_at::timestamptz END
RETURNING id
