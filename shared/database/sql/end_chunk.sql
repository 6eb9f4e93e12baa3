-- End a chunk: debit `spent` credits, count them for the task's API key, write one ledger entry if any row was billed,
-- count the usage, and advance the task's checkpoint. `type_names`, `type_rows` and `type_spent` are the billed rows and
-- their price by operation. Run it in the transaction of begin_chunk, which has locked the rows.
WITH billed AS MATERIALIZED (
    SELECT * FROM unnest(:type_names::text[], :type_rows::bigint[], :type_spent::numeric[]) AS t (type, rows, spent)
), debit AS (
    UPDATE users SET balance = balance - :spent::numeric
    WHERE id = :user_id::uuid
    RETURNING id, balance
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, in_usage)
    SELECT :entry_id::uuid, id, 'batch', -(:spent::numeric), balance + :spent::numeric, balance,
           jsonb_build_object('task_id', :id::uuid, 'first_row', :first_row::bigint, 'last_row', :last_row::bigint),
           true
    FROM debit
    WHERE :billed::bigint > 0
    RETURNING user_id, date
), usage AS (
    INSERT INTO usage_hours AS u (user_id, hour, type, rows, spent)
    SELECT entry.user_id, date_trunc('hour', entry.date, 'UTC'), billed.type, billed.rows, billed.spent
    FROM entry, billed
    ON CONFLICT (user_id, hour, type) DO UPDATE
    SET rows = u.rows + excluded.rows, spent = u.spent + excluded.spent
), by_operation AS (
    INSERT INTO task_operations AS o (task_id, type, rows, spent)
    SELECT :id::uuid, type, rows, spent FROM billed
    ON CONFLICT (task_id, type) DO UPDATE
    SET rows = o.rows + excluded.rows, spent = o.spent + excluded.spent
), key_charge AS (
    UPDATE api_keys k SET spent = api_key_spent(k) + :spent::numeric, spent_since = api_key_period(k)
    FROM tasks t
    WHERE t.id = :id::uuid AND k.id = t.api_key_id AND :spent::numeric > 0
)
UPDATE tasks
SET bytes_done = :bytes_done::bigint,
    lines_done = :lines_done::bigint,
    rows_done = rows_done + :rows::bigint,
    rows_failed = rows_failed + :failed::bigint,
    spent = spent + :spent::numeric,
    status = :status::text,
    error = :error::text,
    has_worker = has_worker AND :status::text = 'processing',
    finished_at = CASE WHEN :status::text = 'processing' THEN NULL ELSE now() END,
    updated_at = now()
WHERE id = :id::uuid
