-- Return a range of a task's rows with their results, in the file's order. `{task_id}` (a UUID) and `{first}`
-- and `{last}` (numbers) are replaced in the text because COPY takes no parameters. The text of rejected rows
-- is the user's, so csv_text keeps spreadsheets from reading it as a formula.
COPY (
    SELECT "row", operation, arguments, result, amount, user_balance, error
    FROM (
        SELECT r.task_row AS "row", o.type AS operation, r.arguments::text AS arguments,
               r.operation_response #>> '{}' AS result, trim_scale(r.amount) AS amount,
               trim_scale(r.user_balance) AS user_balance, NULL AS error
        FROM records r JOIN operations o ON o.id = r.operation_id
        WHERE r.task_id = '{task_id}' AND r.task_row BETWEEN '{first}' AND '{last}'
        UNION ALL
        SELECT task_row,
               csv_text(operation),
               csv_text(arguments),
               NULL, NULL, NULL,
               csv_text(reason)
        FROM task_errors
        WHERE task_id = '{task_id}' AND task_row BETWEEN '{first}' AND '{last}'
    ) both_kinds
    ORDER BY "row"
) TO STDOUT WITH (FORMAT csv)
