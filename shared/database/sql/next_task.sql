-- Choose the owner's oldest waiting task, unless one of the owner's tasks is processed already. Run after the
-- transaction that ended a task: it held the owner's row, so every task that it made wait is visible here.
-- A task that another transaction has locked is skipped: its own message starts it.
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
