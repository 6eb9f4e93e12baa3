-- Refund an ended task: return what its rows were charged, less the refunds of single records, once, and subtract it
-- from the usage. Locks the task and then its owner, like every statement that locks both. `amount` is in credits.
-- `body` is null if nothing was refunded; the other columns give the reason, or the statement began before the chunk
-- that ended the task was committed and did not see all of its operations. Then run it again. `uncounted` is whether
-- the backfill may not have counted all of them yet.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status, refunded_at, spent - refunded AS amount,
           status IN ('awaiting_upload', 'queued', 'processing') AS unfinished
    FROM tasks
    WHERE id = :id::uuid
    FOR NO KEY UPDATE
), by_type AS MATERIALIZED (
    SELECT type, spent FROM task_operations WHERE task_id = (SELECT id FROM found) FOR NO KEY UPDATE
), credit AS (
    UPDATE users u SET balance = u.balance + found.amount
    FROM found
    WHERE u.id = found.user_id AND u.deleted_at IS NULL
      AND found.refunded_at IS NULL AND NOT found.unfinished AND found.amount > 0
      AND found.amount = (SELECT sum(spent) FROM by_type)
    RETURNING u.balance, found.id, found.user_id, found.amount, 'task' AS resource
),
-- include parts/refund_entries.sql
, marked AS (
    UPDATE tasks t
    SET refunded = t.refunded + credit.amount, refunded_at = entry.date, refund_id = :entry_id::uuid
    FROM credit, entry
    WHERE t.id = credit.id
), of_operations AS (
    UPDATE task_operations o SET spent = 0 FROM credit WHERE o.task_id = credit.id
), usage AS (
    INSERT INTO usage_hours AS u (user_id, hour, type, spent)
    SELECT credit.user_id, date_trunc('hour', entry.date, 'UTC'), by_type.type, -by_type.spent
    FROM credit, entry, by_type
    ON CONFLICT (user_id, hour, type) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT status, unfinished, amount, EXISTS (SELECT FROM usage_backfill) AS uncounted, refunded_at IS NOT NULL AS refunded,
       (SELECT deleted_at IS NOT NULL FROM users WHERE id = found.user_id) AS user_deleted,
       (SELECT json_build_object(
                   'id', :entry_id::uuid, 'user_id', user_id, 'record_id', NULL, 'task_id', id,
                   'amount', trim_scale(amount), 'reason', :reason::text,
                   'user_balance', trim_scale(balance))::text
        FROM credit) AS body
FROM found
