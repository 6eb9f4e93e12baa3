-- Return the next `row_limit` users, by id, that the audit has found suspect. `remaining` counts them and
-- those after them.
SELECT user_id, count(*) OVER () AS remaining
FROM audit_points
WHERE is_suspect AND user_id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
ORDER BY user_id
LIMIT :row_limit::bigint
