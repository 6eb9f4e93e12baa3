-- Lock a task's row and then its owner's until the transaction ends, and return the credits that it can spend:
-- the owner's balance, or what the spending limit of the task's API key leaves, if that is less.
-- begin_chunk locks them in the same order, so two workers with the same task can't deadlock.
WITH task AS MATERIALIZED (
    SELECT user_id, api_key_id FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
)
SELECT least(balance, (SELECT k.limit_amount - api_key_spent(k) FROM api_keys k
                       WHERE k.id = (SELECT api_key_id FROM task))) AS balance
FROM users WHERE id = (SELECT user_id FROM task) FOR NO KEY UPDATE
