-- Return an export of this owner's rows, or any export if `owner` is null. Compared with the export's `owner` and not
-- its user: an admin who was demoted, or whose API key lacks the scope `admin`, must not read the rows of all users.
SELECT export_json(exports) AS body, user_id, status, resource, format
FROM exports
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR owner = :owner::uuid)
