-- A task and how far it is, of one owner or (null) of anybody.
SELECT json_build_object(
           'id', id, 'user_id', user_id, 'filename', filename, 'status', status,
           'bytes_total', bytes_total, 'bytes_done', bytes_done,
           'rows_done', rows_done, 'rows_failed', rows_failed,
           'percentage', task_percentage(status, bytes_done, bytes_total),
           'rows_per_second', task_speed(tasks, rows_done - run_rows),
           'seconds_left', CASE WHEN status = 'processing' THEN
               ceil((bytes_total - bytes_done) / nullif(task_speed(tasks, bytes_done - run_bytes), 0)) END,
           'spent', trim_scale(spent), 'error', error,
           'results', CASE WHEN status = 'completed' THEN '/api/v1/tasks/' || id || '/results' END,
           'created_at', rfc3339(created_at), 'started_at', rfc3339(started_at),
           'updated_at', rfc3339(updated_at), 'finished_at', rfc3339(finished_at))::text AS body,
       user_id, status
FROM tasks
WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
