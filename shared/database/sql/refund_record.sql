-- Refund a record: return what the call was charged to the user who paid, once, and subtract it from the usage and
-- from the record's task. Locks the record, its task and then the user, like every statement that locks both of the
-- latter. `charged` is in credits: 0 for a manual record, which alone has no arguments. `unknown` is whether it may be
-- wrong, because an admin may have corrected the record of a call in version 1.1 and the backfill, which then restores
-- what was charged, has not finished. For the same reason the amount of a row of a file may exceed what its task was
-- charged (`exceeds_task`). `body` is null if nothing was refunded; the other columns give the reason.
WITH found AS MATERIALIZED (
    SELECT id, task_id, refunded_at, coalesce(charged_user_id, user_id) AS user_id,
           coalesce(charged_operation_id, operation_id) AS operation_id,
           CASE WHEN arguments IS NULL THEN 0 ELSE coalesce(charged, amount) END AS charged,
           arguments IS NOT NULL AND task_id IS NULL AND EXISTS (SELECT FROM usage_backfill) AS unknown
    FROM records
    WHERE id = :id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), task AS MATERIALIZED (
    SELECT id, user_id, refunded_at, spent - refunded AS not_refunded
    FROM tasks
    WHERE id = (SELECT task_id FROM found)
    FOR NO KEY UPDATE
), refundable AS MATERIALIZED (
    SELECT found.id, task.id AS task_id, coalesce(task.user_id, found.user_id) AS user_id, o.type,
           found.charged AS amount
    FROM found JOIN operations o ON o.id = found.operation_id LEFT JOIN task ON true
    WHERE found.refunded_at IS NULL AND task.refunded_at IS NULL AND found.charged > 0
      AND NOT found.unknown AND (found.charged > task.not_refunded) IS NOT TRUE
), credit AS (
    UPDATE users u SET balance = u.balance + r.amount
    FROM refundable r
    WHERE u.id = r.user_id AND u.deleted_at IS NULL
    RETURNING u.balance, r.*, 'record' AS resource
),
-- include parts/refund_entries.sql
, marked AS (
    UPDATE records r SET refunded_at = entry.date, refund_id = :entry_id::uuid
    FROM credit, entry
    WHERE r.id = credit.id
), of_task AS (
    UPDATE tasks t SET refunded = t.refunded + credit.amount
    FROM credit
    WHERE t.id = credit.task_id
), of_operation AS (
    INSERT INTO task_operations AS o (task_id, type, rows, spent)
    SELECT task_id, type, 0, -amount FROM credit WHERE task_id IS NOT NULL
    ON CONFLICT (task_id, type) DO UPDATE SET spent = o.spent + excluded.spent
), usage AS (
    INSERT INTO usage_hours AS u (user_id, hour, type, spent)
    SELECT user_id, date_trunc('hour', entry.date, 'UTC'), type, -amount FROM credit, entry
    ON CONFLICT (user_id, hour, type) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT found.charged, found.unknown, found.charged > task.not_refunded AS exceeds_task,
       found.refunded_at IS NOT NULL OR task.refunded_at IS NOT NULL AS refunded,
       (SELECT json_build_object(
                   'id', :entry_id::uuid, 'user_id', user_id, 'record_id', id, 'task_id', task_id,
                   'amount', trim_scale(amount), 'reason', :reason::text,
                   'user_balance', trim_scale(balance))::text
        FROM credit) AS body
FROM found LEFT JOIN task ON true
