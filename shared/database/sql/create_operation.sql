-- Insert the price of an operation. `cost` is in credits per call.
INSERT INTO operations (id, type, cost)
VALUES (:id::uuid, :type::text, :cost::numeric)
RETURNING operation_json(operations) AS body
