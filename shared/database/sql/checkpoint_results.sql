-- A part of the results is in S3: the next worker may go on after it. The fence is as a chunk's.
UPDATE tasks
SET results_upload = :upload_id::text, results_parts = :parts::int, results_row = :next_row::bigint,
    updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND results_row = :row::bigint
RETURNING id
