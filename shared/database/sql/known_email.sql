-- Whether an e-mail ever had an account, living or not.
SELECT id FROM users WHERE email = :email::text LIMIT 1
