-- Lock a task's row and then its owner's until the transaction ends, and return the owner's balance in credits.
-- begin_chunk locks them in the same order, so two workers with the same task can't deadlock.
WITH task AS MATERIALIZED (
    SELECT user_id FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
)
SELECT balance FROM users WHERE id = (SELECT user_id FROM task) FOR NO KEY UPDATE
