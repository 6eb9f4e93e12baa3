// AWS_PGSQL_PATH names a database that exists already; without it the stack makes its own.
// Connections that an instance takes, by its memory: LEAST(DBInstanceClassMemory / 9531392, 5000).
const MOST_CONNECTIONS = { micro: 112, small: 225, medium: 450, large: 900 };
const size = (process.env.DATABASE_CLASS || 'db.t4g.micro').split('.').pop();

module.exports = () => ({
  kind: process.env.AWS_PGSQL_PATH ? 'given' : 'own',
  multiAz: process.env.DATABASE_MULTI_AZ === 'true',
  manyConnections: Math.floor(0.8 * (MOST_CONNECTIONS[size] || 1800)),
  protected: (process.env.CONFIG_TYPE || 'production') === 'production',
});
