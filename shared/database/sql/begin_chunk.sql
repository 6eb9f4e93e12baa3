-- Lock a task and then its owner's row until the chunk is committed, if the task is `processing` and its
-- checkpoint `bytes_done` is the chunk's first byte. No row otherwise: another worker has billed the chunk, or
-- the task was cancelled. `balance` is in credits, and so is `key_credit`, what the spending limit of the task's API
-- key leaves: null without a limit. `task_credit` is what the task's `max_spend` leaves. `rows` is the number of rows
-- in the chunk. `microseconds` is the current time since the year 2000, as COPY's binary format has it.
WITH task AS MATERIALIZED (
    SELECT id, user_id, rows_done, rows_failed, api_key_id, trim_scale(max_spend) AS max_spend,
           greatest(max_spend - spent, 0) AS task_credit
    FROM tasks
    WHERE id = :id::uuid AND bytes_done = :bytes_done::bigint AND status = 'processing'
      AND NOT dry_run
    FOR NO KEY UPDATE
), owner AS MATERIALIZED (
    SELECT u.id, u.balance, u.deleted_at IS NOT NULL AS deleted, u.status = 'inactive' AS inactive
    FROM users u
    WHERE u.id = (SELECT user_id FROM task)
    FOR NO KEY UPDATE
), api_key AS MATERIALIZED (
    -- After the owner's row, as in charge_by_key.sql, so that no two transactions can deadlock.
    SELECT k.limit_amount - api_key_spent(k) AS credit
    FROM owner, task, api_keys k
    WHERE k.id = task.api_key_id
    FOR NO KEY UPDATE OF k
), quoted AS (
    -- The dry run of a started task has stored the bad rows that this chunk finds again.
    DELETE FROM task_errors e
    USING task
    WHERE e.task_id = task.id AND e.task_row BETWEEN task.rows_done + 1 AND task.rows_done + :rows::bigint
)
SELECT owner.id AS user_id, owner.balance, owner.deleted, owner.inactive, task.rows_failed,
       task.max_spend, CASE WHEN task.max_spend IS NOT NULL THEN task.task_credit END AS task_credit,
       -- The row of a revoked key may be deleted: then its limit is unknown, so nothing more is spent.
       CASE WHEN task.api_key_id IS NULL OR EXISTS (SELECT FROM api_key) THEN (SELECT credit FROM api_key)
            ELSE 0 END AS key_credit,
       (extract(epoch FROM clock_timestamp() - '2000-01-01 00:00:00+00'::timestamptz) * 1000000)::bigint AS microseconds
FROM owner, task
