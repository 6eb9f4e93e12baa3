-- Set the price of an operation.
INSERT INTO operations (id, type, cost)
VALUES (:id::uuid, :type::text, :cost::numeric)
RETURNING operation_json(operations) AS body
