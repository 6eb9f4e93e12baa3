-- Return the id of the owner's oldest waiting task, unless a worker processes a task of this owner. Run it
-- after the transaction that ended a task. That transaction had locked the owner's row, so this statement sees
-- all tasks that were queued meanwhile. It skips a task that another transaction has locked, because the task's
-- own message starts it.
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
