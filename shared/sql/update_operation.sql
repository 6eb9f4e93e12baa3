-- Another price, or another operation at that price; nulls leave things as they are.
UPDATE operations
SET type = coalesce(:type::text, type), cost = coalesce(:cost::numeric, cost)
WHERE id = :id::uuid AND deleted_at IS NULL
RETURNING json_build_object(
    'id', id, 'type', type, 'cost', trim_scale(cost),
    'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
