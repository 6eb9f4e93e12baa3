-- Return the next `row_limit` suspects of the audit, by id. `remaining` counts these and all later ones.
SELECT user_id, count(*) OVER () AS remaining
FROM audit_points
WHERE is_suspect AND user_id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
ORDER BY user_id
LIMIT :row_limit::bigint
