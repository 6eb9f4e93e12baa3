-- Soft-delete a record. No balance and no ledger entry changes.
WITH deleted AS (
    UPDATE records SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL
    RETURNING id, record_json(records)::jsonb || '{"deleted_at": null}' AS before
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'delete', 'record', id, before,
           NULL
    FROM deleted
)
SELECT id FROM deleted
