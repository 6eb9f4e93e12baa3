-- Change the cost only: records refer to the operation's row, so its type is part of their history.
UPDATE operations
SET cost = :cost::numeric
WHERE id = :id::uuid AND deleted_at IS NULL
RETURNING json_build_object(
    'id', id, 'type', type, 'cost', trim_scale(cost),
    'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
