-- Lock a webhook's row until the transaction ends. Only later statements of this transaction see all that was committed
-- while this one waited.
SELECT id FROM webhooks WHERE id = :id::uuid FOR NO KEY UPDATE
