-- Record that the service sends a message of this task. No row if one is under way: then the caller sends none, and
-- the worker that receives that one reads what the caller has changed. Run it in one transaction with the change and
-- the sending; receive_message waits for the transaction.
UPDATE tasks SET has_message = true
WHERE id = :id::uuid AND NOT has_message
RETURNING id
