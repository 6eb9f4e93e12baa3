-- A record, of one owner or (null) of anybody.
SELECT json_build_object(
           'id', id, 'user_id', user_id, 'operation_id', operation_id, 'arguments', arguments,
           'operation_response', operation_response, 'amount', trim_scale(amount),
           'user_balance', trim_scale(user_balance), 'date', rfc3339(date),
           'task_id', task_id, 'task_row', task_row, 'deleted_at', rfc3339(deleted_at))::text AS body
FROM records
WHERE id = :id::uuid AND deleted_at IS NULL
  AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
