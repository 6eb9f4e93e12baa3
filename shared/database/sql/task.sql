-- Return a task of this owner, or of any user if `owner` is null.
SELECT task_json(tasks) AS body, user_id, status, finished_at, task_results(tasks) AS results,
       task_results_expire_at(tasks) AS results_expire_at
FROM tasks
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
