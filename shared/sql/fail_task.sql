-- End a task that can't be done, with a reason that its owner can read. One that awaits its upload
-- goes on awaiting it, unless S3 announced that it was there.
UPDATE tasks SET status = 'failed', error = :error::text, finished_at = now(), updated_at = now()
WHERE id = :id::uuid
  AND (status IN ('queued', 'processing') OR (status = 'awaiting_upload' AND :announced::boolean))
RETURNING id
