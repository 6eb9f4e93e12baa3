-- Soft-delete a record. No balance and no ledger entry changes.
UPDATE records SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL RETURNING id
