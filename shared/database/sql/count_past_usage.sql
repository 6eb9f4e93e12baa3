-- Count the usage and the tasks' operations of the newest ledger entries that are not counted yet, and move the position
-- of the backfill below them. Stops after `row_limit` entries or records; the entry of a chunk is counted completely.
-- `entries` is the number of counted entries: 0 if none remained. Version 1.1 did not keep what a record was charged
-- before an admin corrected it, but the ledger has it: of a call it is stored in the record, and of a chunk the
-- difference goes to the operation with the most rows. Run it in the transaction of lock_usage_backfill.
WITH following AS MATERIALIZED (
    SELECT seq, user_id, date_trunc('hour', date, 'UTC') AS hour, kind, -amount AS spent,
           (reference ->> 'record_id')::uuid AS record_id, (reference ->> 'task_id')::uuid AS task_id,
           (reference ->> 'first_row')::bigint AS first_row, (reference ->> 'last_row')::bigint AS last_row,
           coalesce((reference ->> 'last_row')::bigint - (reference ->> 'first_row')::bigint + 1, 1) AS records
    FROM ledger
    WHERE seq <= (SELECT seq FROM usage_backfill)
    ORDER BY seq DESC
    LIMIT :row_limit::bigint
), entry AS MATERIALIZED (
    SELECT * FROM (SELECT *, sum(records) OVER (ORDER BY seq DESC) AS records_so_far FROM following) counted
    WHERE records_so_far - records < :row_limit::bigint
), call AS MATERIALIZED (
    SELECT entry.*, coalesce(r.charged_operation_id, r.operation_id) AS operation_id,
           coalesce(r.charged, r.amount) <> entry.spent
           OR coalesce(r.charged_user_id, r.user_id) <> entry.user_id AS is_corrected
    FROM entry JOIN records r ON r.id = entry.record_id
    WHERE entry.kind = 'charge'
), chunk AS MATERIALIZED (
    SELECT entry.*, billed.type, billed.rows, billed.spent AS priced,
           row_number() OVER (PARTITION BY seq ORDER BY billed.rows DESC, billed.type) = 1 AS has_most_rows,
           sum(billed.spent) OVER (PARTITION BY seq) AS priced_in_all
    FROM entry
    CROSS JOIN LATERAL (
        SELECT o.type, count(*) AS rows, sum(coalesce(r.charged, r.amount)) AS spent
        FROM records r JOIN operations o ON o.id = coalesce(r.charged_operation_id, r.operation_id)
        WHERE r.task_id = entry.task_id AND r.task_row BETWEEN entry.first_row AND entry.last_row
        GROUP BY o.type
    ) billed
    WHERE entry.kind = 'batch'
), counted AS MATERIALIZED (
    SELECT user_id, hour, NULL::uuid AS task_id, o.type, 1 AS calls, 0 AS rows, spent
    FROM call JOIN operations o ON o.id = call.operation_id
    UNION ALL
    SELECT user_id, hour, task_id, type, 0, rows,
           priced + CASE WHEN has_most_rows THEN spent - priced_in_all ELSE 0 END
    FROM chunk
), usage AS (
    INSERT INTO usage_hours AS u (user_id, hour, type, calls, rows, spent)
    SELECT user_id, hour, type, sum(calls), sum(rows), sum(spent) FROM counted GROUP BY user_id, hour, type
    ON CONFLICT (user_id, hour, type) DO UPDATE
    SET calls = u.calls + excluded.calls, rows = u.rows + excluded.rows, spent = u.spent + excluded.spent
), of_tasks AS (
    INSERT INTO task_operations AS o (task_id, type, rows, spent)
    SELECT task_id, type, sum(rows), sum(spent) FROM counted WHERE task_id IS NOT NULL GROUP BY task_id, type
    ON CONFLICT (task_id, type) DO UPDATE SET rows = o.rows + excluded.rows, spent = o.spent + excluded.spent
), corrected AS (
    UPDATE records r SET charged = call.spent, charged_user_id = call.user_id
    FROM call
    WHERE r.id = call.record_id AND call.is_corrected
)
UPDATE usage_backfill SET seq = coalesce((SELECT min(seq) FROM entry) - 1, 0)
RETURNING (SELECT count(*) FROM entry) AS entries
