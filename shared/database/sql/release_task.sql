-- Stop processing a task before its end, so that the next message goes on with it. No row if this worker's
-- checkpoint is no longer the task's: then another worker has it, or it was cancelled.
UPDATE tasks SET has_worker = false, updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND bytes_done = :bytes_done::bigint
RETURNING id
