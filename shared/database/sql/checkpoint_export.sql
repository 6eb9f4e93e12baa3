-- Save the position in an export after a part was uploaded to S3, so that the next worker continues there. No
-- row if another worker has saved a later position.
UPDATE exports
SET cursor = :cursor::text, upload_id = :upload_id::text, parts = :parts::int, rows_done = :rows::bigint,
    updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND rows_done = :rows_before::bigint
RETURNING id
