-- Begin a sign-in: return the throttle's `wait` in seconds, and the id, role and password hash of the user with
-- this e-mail (null if there is none). No token is taken here; count_failed_sign_in takes one for a wrong
-- password.
SELECT sign_in_wait(:address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric)
           AS wait,
       u.id, u.role, u.password_hash
FROM (SELECT :email::text AS email) wanted
LEFT JOIN users u ON u.email = wanted.email AND u.deleted_at IS NULL
