-- Whether an operation ever had a price, living or not.
SELECT id FROM operations WHERE type = :type::text LIMIT 1
