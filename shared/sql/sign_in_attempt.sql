-- One attempt to sign in: a token from each bucket, and the account, if there is one. An address that has to
-- wait takes nothing of the e-mail's: it can't keep the e-mail's owner out.
-- Buckets are locked in the order of their names, here and where tokens are given back.
WITH address AS MATERIALIZED (
    SELECT take_token(:address_bucket::text, :address_capacity::numeric, :address_capacity::numeric / 60) AS wait
)
SELECT address.wait AS address_wait,
       CASE WHEN address.wait = 0
            THEN take_token(:email_bucket::text, :email_capacity::numeric, :email_capacity::numeric / 60)
            ELSE 0 END AS email_wait,
       u.id, u.role, u.password_hash
FROM address
LEFT JOIN users u ON u.email = :email::text AND u.deleted_at IS NULL
