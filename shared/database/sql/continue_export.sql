-- Record that a worker still writes an export, before it reads the next rows. If the export's user has become
-- inactive or was deleted, the export fails, and `error` is the reason. No row if the export has ended or another
-- worker has moved its checkpoint.
UPDATE exports e
SET status = CASE WHEN account.error IS NULL THEN 'processing' ELSE 'failed' END,
    error = account.error,
    finished_at = CASE WHEN account.error IS NOT NULL THEN now() END,
    updated_at = now()
FROM (
    SELECT id, CASE WHEN deleted_at IS NOT NULL THEN 'The account was deleted.'
                    WHEN status = 'inactive'
                    THEN 'The account is inactive. Create the export again after an admin has activated the account.'
               END AS error
    FROM users
) account
WHERE e.id = :id::uuid AND account.id = e.user_id
  AND e.status = 'processing' AND e.rows_done = :rows_done::bigint
RETURNING e.error
