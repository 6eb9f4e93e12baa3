-- Create a task if its owner may begin another upload (a token bucket); otherwise return the seconds to wait.
-- The body is the task between `task_id` and the members of `upload`, a JSON object.
WITH turn AS MATERIALIZED (
    SELECT take_token('upload:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
), created AS (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total)
    SELECT :id::uuid, :user_id::uuid, :filename::text, :status::text, :size::bigint
    FROM turn WHERE wait = 0
    RETURNING join_json(json_build_object('task_id', id), task_json(tasks)::json, :upload::json) AS body
)
SELECT turn.wait, created.body
FROM turn LEFT JOIN created ON true
