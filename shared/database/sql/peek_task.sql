-- Read what decides whether a message has work to do. FOR KEY SHARE waits for a transaction that resumes,
-- cancels or starts the task, but not for a running chunk.
SELECT status, etag IS NOT NULL AS has_file,
       has_worker AND updated_at > now() - interval '1 minute' AS has_live_worker
FROM tasks
WHERE id = :id::uuid AND user_id = :user_id::uuid
FOR KEY SHARE
