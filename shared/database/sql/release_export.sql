-- Stop writing an export before its end, so that the next message continues it.
UPDATE exports SET status = 'queued', updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND rows_done = :rows::bigint
RETURNING id
