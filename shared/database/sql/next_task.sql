-- Return the id of the owner's oldest waiting task, unless a worker processes a task of this owner. Run it
-- after the transaction that ended a task: that one had locked the owner's row, so all tasks queued behind it
-- are visible. A task locked by another transaction is skipped, because its own message starts it.
UPDATE tasks SET updated_at = now()
WHERE id = (
    SELECT id FROM tasks
    WHERE user_id = :user_id::uuid AND status = 'queued' AND etag IS NOT NULL
      AND NOT owner_is_busy(:user_id::uuid, NULL)
    ORDER BY created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id
