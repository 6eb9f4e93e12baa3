-- Whether a worker processes another task of the same owner: its last sign of life is less than a minute old.
SELECT owner_is_busy(:user_id::uuid, :id::uuid) AS busy
