-- Begin a change of the caller's password, as sign_in_attempt begins a sign-in: return the throttle's `wait` in
-- seconds, and the user's e-mail and password hash. The bucket of the e-mail has the same name as for a sign-in
-- (`throttle.sign_in_buckets`). No row if the user was deleted.
SELECT sign_in_wait(:address_bucket::text, :address_capacity::numeric, 'email:' || email, :email_capacity::numeric)
           AS wait,
       email, password_hash
FROM users
WHERE id = :id::uuid AND deleted_at IS NULL
