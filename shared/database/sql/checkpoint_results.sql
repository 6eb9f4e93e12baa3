-- Save the position in a task's results after a part was uploaded to S3, so that the next worker continues
-- there. No row if another worker has saved a later position or the task is no longer `processing`.
UPDATE tasks
SET results_upload = :upload_id::text, results_parts = :parts::int, results_row = :next_row::bigint,
    updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND results_row = :row::bigint
RETURNING id
