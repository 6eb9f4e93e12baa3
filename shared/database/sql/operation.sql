-- Return an operation, unless it is deleted.
SELECT operation_json(operations) AS body FROM operations WHERE id = :id::uuid AND deleted_at IS NULL
