-- All rows are billed and the results are in the bucket.
UPDATE tasks SET status = 'completed', finished_at = now(), updated_at = now()
WHERE id = :id::uuid AND status = 'processing' AND bytes_done = bytes_total
RETURNING id
