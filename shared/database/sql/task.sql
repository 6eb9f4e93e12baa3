-- A task and how far it is, of one owner or (null) of anybody.
SELECT task_json(tasks) AS body, user_id, status
FROM tasks
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
