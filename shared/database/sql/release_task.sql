-- Stop processing a task before its end, so that the next message continues it. No row if another worker has
-- continued it since, or if it was cancelled.
UPDATE tasks SET has_worker = false, updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND bytes_done = :bytes_done::bigint
RETURNING id
