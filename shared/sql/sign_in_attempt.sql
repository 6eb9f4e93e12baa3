-- One attempt to sign in: a token from each bucket, and the account, if there is one.
-- Buckets are locked in the order of their names, here and where tokens are given back.
SELECT take_token(:address_bucket::text, :address_capacity::numeric, :address_capacity::numeric / 60)
           AS address_wait,
       take_token(:email_bucket::text, :email_capacity::numeric, :email_capacity::numeric / 60) AS email_wait,
       u.id, u.role, u.password_hash
FROM (SELECT :email::text AS email) asked
LEFT JOIN users u ON u.email = asked.email AND u.deleted_at IS NULL
