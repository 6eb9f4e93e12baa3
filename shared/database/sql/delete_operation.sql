-- Soft-delete an operation. It can't be called any more; the records of its calls stay.
WITH deleted AS (
    UPDATE operations SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL
    RETURNING id, operation_json(operations)::jsonb || '{"deleted_at": null}' AS before
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'delete', 'operation', id, before,
           NULL
    FROM deleted
)
SELECT id FROM deleted
