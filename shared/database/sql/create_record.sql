-- Create a manual record if its user and its operation exist. No balance changes. `body` is null if either is
-- missing.
WITH known AS (
    SELECT (SELECT id FROM users WHERE id = :user_id::uuid) AS user_id,
           (SELECT id FROM operations WHERE id = :operation_id::uuid) AS operation_id
), created AS (
    INSERT INTO records (id, user_id, operation_id, amount, user_balance, operation_response, date,
                         charged)
    SELECT :id::uuid, user_id, operation_id, :amount::numeric, :user_balance::numeric,
           :operation_response::jsonb, coalesce(:date::timestamptz, clock_timestamp()), 0
    FROM known
    WHERE user_id IS NOT NULL AND operation_id IS NOT NULL
    RETURNING id, record_json(records) AS body
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'create', 'record', id, NULL,
           body::jsonb
    FROM created
)
SELECT known.user_id IS NOT NULL AS user_known,
       known.operation_id IS NOT NULL AS operation_known,
       created.body
FROM known LEFT JOIN created ON true
