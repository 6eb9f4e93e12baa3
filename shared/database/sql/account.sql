-- The living account of an e-mail; nulls where there is none.
SELECT u.id, u.role, u.password_hash
FROM (SELECT :email::text AS email) asked
LEFT JOIN users u ON u.email = asked.email AND u.deleted_at IS NULL
