-- Count a failed sign-in against its e-mail and its source address; if either has no attempt left, count nothing
-- and return the seconds to wait.
SELECT count_failed_sign_in(
    :address_bucket::text, :address_capacity::numeric, :email_bucket::text, :email_capacity::numeric) AS wait
