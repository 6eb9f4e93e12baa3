-- Return the id, role and password hash of the user with this e-mail, unless deleted. Always one row: its
-- columns are null if there is no such user.
SELECT u.id, u.role, u.password_hash
FROM (SELECT :email::text AS email) wanted
LEFT JOIN users u ON u.email = wanted.email AND u.deleted_at IS NULL
