-- Record that a worker has received the service's message of this task, before the worker reads the task: every
-- later change sends a message again. Without a condition on `has_message`, so that the statement waits for a
-- transaction that has sent the message but not committed yet.
UPDATE tasks SET has_message = false WHERE id = :id::uuid AND user_id = :user_id::uuid
