-- Return whether a worker processes another task of this owner. A worker counts as stopped after a minute
-- without an update of its task.
SELECT owner_is_busy(:user_id::uuid, :id::uuid) AS busy
