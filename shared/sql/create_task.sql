-- A task, if its owner has an upload to spare (a token bucket).
WITH turn AS MATERIALIZED (
    SELECT take_token('upload:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
), created AS (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total)
    SELECT :id::uuid, :user_id::uuid, :filename::text, :status::text, :size::bigint
    FROM turn WHERE wait = 0
    RETURNING *
)
SELECT turn.wait,
       json_build_object(
           'task_id', id, 'id', id, 'user_id', user_id, 'filename', filename, 'status', status,
           'bytes_total', bytes_total, 'bytes_done', bytes_done,
           'rows_done', rows_done, 'rows_failed', rows_failed,
           'percentage', task_percentage(status, bytes_done, bytes_total),
           'rows_per_second', NULL, 'seconds_left', NULL,
           'spent', trim_scale(spent), 'error', error, 'results', NULL,
           'created_at', rfc3339(created_at), 'started_at', rfc3339(started_at),
           'updated_at', rfc3339(updated_at), 'finished_at', rfc3339(finished_at))::text AS body
FROM turn LEFT JOIN created ON true
