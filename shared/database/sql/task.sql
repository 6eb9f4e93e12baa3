-- Return a task of this owner, or of any user if `owner` is null.
SELECT task_json(tasks) AS body, user_id, status, finished_at, results_at
FROM tasks
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
