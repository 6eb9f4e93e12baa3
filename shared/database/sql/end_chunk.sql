-- End a chunk: debit `spent` credits, write one ledger entry if any row was billed, and advance the task's
-- checkpoint. Run it in the transaction of begin_chunk, which has locked both rows.
WITH debit AS (
    UPDATE users SET balance = balance - :spent::numeric
    WHERE id = :user_id::uuid
    RETURNING id, balance
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, id, 'batch', -(:spent::numeric), balance + :spent::numeric, balance,
           jsonb_build_object('task_id', :id::uuid, 'first_row', :first_row::bigint, 'last_row', :last_row::bigint)
    FROM debit
    WHERE :billed::bigint > 0
)
UPDATE tasks
SET bytes_done = :bytes_done::bigint,
    lines_done = :lines_done::bigint,
    rows_done = rows_done + :rows::bigint,
    rows_failed = rows_failed + :failed::bigint,
    spent = spent + :spent::numeric,
    status = :status::text,
    error = :error::text,
    finished_at = CASE WHEN :status::text = 'processing' THEN NULL ELSE now() END,
    updated_at = now()
WHERE id = :id::uuid
