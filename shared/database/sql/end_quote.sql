-- End a chunk of a dry run: add the price of its rows, and advance the task's checkpoint. Run it in the transaction of
-- begin_quote, which has locked the task.
UPDATE tasks
SET bytes_done = :bytes_done::bigint,
    lines_done = :lines_done::bigint,
    rows_done = rows_done + :rows::bigint,
    rows_failed = rows_failed + :failed::bigint,
    cost = cost + :cost::numeric,
    updated_at = now()
WHERE id = :id::uuid
