-- Change the cost only: records refer to the operation's row, so its type is part of their history.
UPDATE operations
SET cost = :cost::numeric
WHERE id = :id::uuid AND deleted_at IS NULL
RETURNING operation_json(operations) AS body
