-- Lock a task's row and then its owner's until the transaction ends. A chunk locks them in the same order, so
-- that two workers with one task can't deadlock.
WITH task AS MATERIALIZED (
    SELECT user_id FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
)
SELECT balance FROM users WHERE id = (SELECT user_id FROM task) FOR NO KEY UPDATE
