-- Complete an export whose file is in S3. S3 deletes the file after 7 days (resources/batch.yml).
UPDATE exports
SET status = 'completed', rows_done = :rows::bigint, finished_at = now(), updated_at = now(),
    expires_at = now() + interval '7 days'
WHERE id = :id::uuid AND status = 'processing' AND rows_done = :rows_before::bigint
RETURNING id
