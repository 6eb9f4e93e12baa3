-- A task, if its owner has an upload to spare (a token bucket).
WITH turn AS MATERIALIZED (
    SELECT take_token('upload:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
), created AS (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total)
    SELECT :id::uuid, :user_id::uuid, :filename::text, :status::text, :size::bigint
    FROM turn WHERE wait = 0
    RETURNING id, task_json(tasks) AS task
)
SELECT turn.wait,
       '{"task_id" : "' || id || '", ' || substr(task, 2) AS body
FROM turn LEFT JOIN created ON true
