SELECT id FROM users WHERE id = :user_id::uuid AND :id::uuid IS NOT NULL FOR UPDATE
