-- End the claim of an attempt whose message was not sent, unless the webhook has another attempt or the result was
-- recorded: the webhook is due again at once. `attempt_id` stays, so that a result still counts if SQS has queued the
-- message but its response was lost.
UPDATE webhooks
SET leased_until = NULL, due_at = now()
WHERE id = :webhook_id::uuid AND attempt_id = :attempt_id::uuid
