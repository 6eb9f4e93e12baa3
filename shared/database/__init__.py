"""The connection to Postgres, the unit of work, the tables and the fixed SQL."""
