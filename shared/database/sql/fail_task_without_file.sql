-- Fail a task whose file could not be stored, unless a worker has found the file: S3 may have stored it before the
-- connection failed. No row then, because a second task of a retry would charge the rows again.
UPDATE tasks
SET status = 'failed', error = :error::text, finished_at = now(), updated_at = now()
WHERE id = :id::uuid AND status = 'queued' AND etag IS NULL
RETURNING id
