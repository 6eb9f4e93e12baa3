-- Start or continue writing an export. No row if it has ended, or if another worker writes it: one that updated
-- it within a minute, unless this message was redelivered, which means that its worker failed.
UPDATE exports SET status = 'processing', updated_at = now()
WHERE id = :id::uuid AND user_id = :user_id::uuid
  AND (status = 'queued'
       OR status = 'processing' AND (:redelivered::boolean OR updated_at <= now() - interval '1 minute'))
RETURNING owner, resource, format, query, cursor, upload_id, parts, rows_done
