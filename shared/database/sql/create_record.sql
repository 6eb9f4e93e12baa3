-- An entry by hand, of a user and an operation that exist. It moves no money.
WITH known AS (
    SELECT (SELECT id FROM users WHERE id = :user_id::uuid) AS user_id,
           (SELECT id FROM operations WHERE id = :operation_id::uuid) AS operation_id
), created AS (
    INSERT INTO records (id, user_id, operation_id, amount, user_balance, operation_response, date)
    SELECT :id::uuid, user_id, operation_id, :amount::numeric, :user_balance::numeric,
           :operation_response::jsonb, coalesce(:date::timestamptz, clock_timestamp())
    FROM known
    WHERE user_id IS NOT NULL AND operation_id IS NOT NULL
    RETURNING *
)
SELECT known.user_id IS NOT NULL AS user_known,
       known.operation_id IS NOT NULL AS operation_known,
       json_build_object(
           'id', c.id, 'user_id', c.user_id, 'operation_id', c.operation_id, 'arguments', c.arguments,
           'operation_response', c.operation_response, 'amount', trim_scale(c.amount),
           'user_balance', trim_scale(c.user_balance), 'date', rfc3339(c.date),
           'task_id', c.task_id, 'task_row', c.task_row, 'deleted_at', rfc3339(c.deleted_at))::text AS body
FROM known LEFT JOIN created c ON true
