-- Insert the price of an operation. `cost` is in credits per call. `admin_id` is null at set-up, which is not
-- audited.
WITH created AS (
    INSERT INTO operations (id, type, cost)
    VALUES (:id::uuid, :type::text, :cost::numeric)
    RETURNING id, operation_json(operations) AS body
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'create', 'operation', id, NULL,
           body::jsonb
    FROM created
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT body FROM created
