-- End a task that can't be done, with a reason that its owner can read.
UPDATE tasks SET status = 'failed', error = :error::text, finished_at = now(), updated_at = now()
WHERE id = :id::uuid AND status IN ('awaiting_upload', 'queued', 'processing')
RETURNING id
