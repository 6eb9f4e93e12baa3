-- Change an operation's cost, in credits. Its type never changes, because records refer to the operation's row.
UPDATE operations
SET cost = :cost::numeric
WHERE id = :id::uuid AND deleted_at IS NULL
RETURNING operation_json(operations) AS body
