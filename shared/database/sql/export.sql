-- Return an export of this user, or of any user if `owner` is null.
SELECT export_json(exports) AS body, user_id, status, resource, format
FROM exports
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
