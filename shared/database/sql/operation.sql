-- A priced operation, as the API shows one.
SELECT json_build_object(
           'id', id, 'type', type, 'cost', trim_scale(cost),
           'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
FROM operations
WHERE id = :id::uuid AND deleted_at IS NULL
