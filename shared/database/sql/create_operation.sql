-- A price for an operation.
INSERT INTO operations (id, type, cost)
VALUES (:id::uuid, :type::text, :cost::numeric)
RETURNING json_build_object(
    'id', id, 'type', type, 'cost', trim_scale(cost),
    'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
