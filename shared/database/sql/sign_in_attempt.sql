-- Begin a sign-in: how many seconds the throttle makes it wait, and the living account of the e-mail, if there is
-- one. It takes no token: count_failed_sign_in does when the password was wrong.
SELECT sign_in_wait(:address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric)
           AS wait,
       u.id, u.role, u.password_hash
FROM (SELECT :email::text AS email) asked
LEFT JOIN users u ON u.email = asked.email AND u.deleted_at IS NULL
