-- Return an operation that has a price.
SELECT operation_json(operations) AS body FROM operations WHERE id = :id::uuid AND deleted_at IS NULL
