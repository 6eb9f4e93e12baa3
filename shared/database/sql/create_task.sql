-- Create a task. `body` has `task_id`, the members of the task, and those of `upload`, a JSON object. It is null if
-- the owner's token bucket of uploads is empty, and `wait` is the seconds until it has a token.
WITH token AS MATERIALIZED (
    SELECT take_token('upload:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
), created AS (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total, api_key_id, dry_run, max_spend, cost)
    SELECT :id::uuid, :user_id::uuid, :filename::text, :status::text, :size::bigint, :api_key_id::uuid,
           :dry_run::boolean, :max_spend::numeric, CASE WHEN :dry_run::boolean THEN 0 END
    FROM token WHERE wait = 0
    RETURNING join_json(json_build_object('task_id', id), task_json(tasks)::json, :upload::json) AS body
)
SELECT token.wait, created.body
FROM token LEFT JOIN created ON true
