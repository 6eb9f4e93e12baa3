-- A task's row and then its owner's, locked until the transaction ends: in the order in which a chunk
-- locks them, so that two workers with the same task never wait for each other.
WITH task AS MATERIALIZED (
    SELECT user_id FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
)
SELECT balance FROM users WHERE id = (SELECT user_id FROM task) FOR NO KEY UPDATE
