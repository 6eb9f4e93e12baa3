-- Correct a record; a null leaves its column unchanged. No balance changes. Keeps what was charged, to whom and for
-- which operation, for a refund. `id` is null if nothing was changed.
WITH known AS (
    SELECT :user_id::uuid IS NULL OR EXISTS (SELECT FROM users WHERE id = :user_id::uuid) AS user_known,
           :operation_id::uuid IS NULL
               OR EXISTS (SELECT FROM operations WHERE id = :operation_id::uuid) AS operation_known
), changed AS (
    UPDATE records
    SET user_id = coalesce(:user_id::uuid, user_id),
        operation_id = coalesce(:operation_id::uuid, operation_id),
        amount = coalesce(:amount::numeric, amount),
        user_balance = coalesce(:user_balance::numeric, user_balance),
        operation_response = coalesce(:operation_response::jsonb, operation_response),
        date = coalesce(:date::timestamptz, date),
        charged = coalesce(charged, amount),
        charged_user_id = coalesce(charged_user_id, user_id),
        charged_operation_id = coalesce(charged_operation_id, operation_id)
    FROM known
    WHERE id = :id::uuid AND deleted_at IS NULL AND user_known AND operation_known
    RETURNING id
)
SELECT user_known, operation_known, (SELECT id FROM changed) AS id FROM known
