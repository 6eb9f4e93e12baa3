-- A living user, as the API shows one: never the hash.
SELECT json_build_object(
           'id', id, 'email', email, 'role', role, 'balance', trim_scale(balance),
           'created_at', rfc3339(created_at), 'deleted_at', rfc3339(deleted_at))::text AS body
FROM users
WHERE id = :id::uuid AND deleted_at IS NULL
