-- Count a failed sign-in against its e-mail and its source address. `wait` is 0 if it was counted. If either
-- has no attempt left, nothing is counted and `wait` is the seconds until both have one.
SELECT count_failed_sign_in(
    :address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric) AS wait
