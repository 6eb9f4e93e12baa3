-- End the full audit: the next one begins at the first entry.
UPDATE audit_state SET is_full = false
