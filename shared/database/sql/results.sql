-- Return a range of a task's rows with their results, in the file's order. `{task_id}` (a UUID) and `{first}`
-- and `{last}` (numbers) are replaced in the text because COPY takes no parameters. The text of rejected rows
-- is the user's, so a `'` is inserted where a spreadsheet could start a formula (OWASP, CSV injection): at the
-- start of a cell, and after `;`, tab and line breaks, which some spreadsheets treat as separators. A comma
-- needs no `'`: a cell with a comma is quoted. ASCII and full-width signs are covered.
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
