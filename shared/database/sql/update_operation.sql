-- Change an operation's cost, in credits. Its type never changes, because records refer to the operation's row.
WITH found AS MATERIALIZED (
    SELECT id, operation_json(operations)::jsonb AS before
    FROM operations
    WHERE id = :id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), changed AS (
    UPDATE operations o SET cost = :cost::numeric
    FROM found
    WHERE o.id = found.id
    RETURNING o.id, operation_json(o) AS body, before, operation_json(o)::jsonb AS after
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'update', 'operation', id, changed_members(before, after),
           changed_members(after, before)
    FROM changed
)
SELECT body FROM changed
