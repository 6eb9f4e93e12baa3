-- Some of a task's rows with their results, in the file's order. `{task_id}` is a UUID's text, `{first}`
-- and `{last}` are numbers: COPY takes no parameters. What a stranger wrote is kept from being a
-- spreadsheet's formula (OWASP, CSV injection), of either width: at a cell's beginning, and behind what some
-- spreadsheet takes for a separator. A comma is none here: a cell that has one is quoted.
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
               regexp_replace(operation, '^(?=[\t\r\n])|(?:^|[;\t\r\n]"*)(?=[=+@＝＋＠－-])', '\&''', 'g'),
               regexp_replace(arguments, '^(?=[\t\r\n])|(?:^|[;\t\r\n]"*)(?=[=+@＝＋＠－-])', '\&''', 'g'),
               NULL, NULL, NULL,
               regexp_replace(reason, '^(?=[\t\r\n])|(?:^|[;\t\r\n]"*)(?=[=+@＝＋＠－-])', '\&''', 'g')
        FROM task_errors
        WHERE task_id = '{task_id}' AND task_row BETWEEN '{first}' AND '{last}'
    ) both_kinds
    ORDER BY "row"
) TO STDOUT WITH (FORMAT csv)
