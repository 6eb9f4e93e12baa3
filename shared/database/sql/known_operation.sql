-- Return the id of any operation of this type, deleted or not.
SELECT id FROM operations WHERE type = :type::text LIMIT 1
