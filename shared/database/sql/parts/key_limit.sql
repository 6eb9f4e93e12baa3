-- Whether the caller's API key may compute, and its spending limit: null without one.
    (SELECT in_scope FROM caller) AS in_scope,
    trim_scale(k.limit_amount) AS limit_amount,
    k.limit_per,
    trim_scale(api_key_spent(k)) AS spent,
    rfc3339(api_key_period_end(k)) AS period_end
FROM (SELECT) one LEFT JOIN api_keys k ON k.id = (SELECT api_key_id FROM caller)
