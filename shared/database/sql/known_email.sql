-- Return the id of any user with this e-mail, deleted or not.
SELECT id FROM users WHERE email = :email::text LIMIT 1
