"""Add the functions of the sign-in throttle, which counts only failures."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


FUNCTIONS = (
    # Return the tokens of a bucket that refills its capacity once a minute. A bucket without a row is full.
    """
    CREATE FUNCTION tokens_a_minute(name text, capacity numeric) RETURNS numeric
    LANGUAGE sql STABLE
    RETURN coalesce(
        (SELECT least(capacity, tokens + extract(epoch FROM clock_timestamp() - filled_at) * capacity / 60)
         FROM rate_limits WHERE bucket = name),
        capacity)
    """,
    # Return the seconds until both buckets of a sign-in have a token; 0 if they have one. Changes nothing.
    """
    CREATE FUNCTION sign_in_wait(
        address_bucket text, address_capacity numeric, email_bucket text, email_capacity numeric
    ) RETURNS numeric
    LANGUAGE sql STABLE
    RETURN greatest(
        0,
        (1 - tokens_a_minute(address_bucket, address_capacity)) * 60 / address_capacity,
        (1 - tokens_a_minute(email_bucket, email_capacity)) * 60 / email_capacity)
    """,
    # Remove a token from both buckets and return 0. If one is empty, change nothing and return the seconds
    # until both have a token. Every call inserts and locks the two rows in the same order, so calls never
    # deadlock.
    """
    CREATE FUNCTION count_failed_sign_in(
        address_bucket text, address_capacity numeric, email_bucket text, email_capacity numeric
    ) RETURNS numeric
    LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
        wait numeric;
    BEGIN
        INSERT INTO rate_limits (bucket, tokens)
        VALUES (address_bucket, address_capacity), (email_bucket, email_capacity)
        ON CONFLICT DO NOTHING;
        PERFORM FROM rate_limits WHERE bucket IN (address_bucket, email_bucket) ORDER BY bucket FOR UPDATE;
        wait := sign_in_wait(address_bucket, address_capacity, email_bucket, email_capacity);
        IF wait = 0 THEN
            UPDATE rate_limits
            SET tokens = CASE bucket
                    WHEN address_bucket THEN tokens_a_minute(bucket, address_capacity)
                    ELSE tokens_a_minute(bucket, email_capacity) END - 1,
                filled_at = clock_timestamp()
            WHERE bucket IN (address_bucket, email_bucket);
        END IF;
        RETURN wait;
    END $$
    """,
)


def upgrade() -> None:
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
