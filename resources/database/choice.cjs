// AWS_PGSQL_PATH names a database that exists already; without it the stack makes its own.
module.exports = () => ({
  kind: process.env.AWS_PGSQL_PATH ? 'given' : 'own',
  multiAz: process.env.DATABASE_MULTI_AZ === 'true',
  protected: (process.env.CONFIG_TYPE || 'production') === 'production',
});
