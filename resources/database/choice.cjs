// What the database settings choose: the template of the database, and the limits that follow from its class.
//
// By size of the instance class:
// - connections: what `SHOW max_connections` returns. RDS sets LEAST(DBInstanceClassMemory / 9531392, 5000), and
//   DBInstanceClassMemory is less than the nominal memory. docs/explanation/connections.md has the sources; from
//   medium on it is four fifths of the formula's result for the nominal memory.
// - memoryGb: the nominal memory, of the smallest class of that size.
// - creditsPerHour: CPU credits that a burstable class earns.
const SIZES = {
  micro: { connections: 80, memoryGb: 1, creditsPerHour: 12 },
  small: { connections: 181, memoryGb: 2, creditsPerHour: 24 },
  medium: { connections: 360, memoryGb: 4, creditsPerHour: 24 },
  large: { connections: 720, memoryGb: 8, creditsPerHour: 36 },
  xlarge: { connections: 1440, memoryGb: 16, creditsPerHour: 96 },
};
// Connections that the API leaves to others: 5 workers (serverless.yml), 3 for migrate, expire and audit, 5 that
// Postgres and RDS reserve for superusers, and some for an administrator.
const RESERVED = 20;
// Calls a second, and at once. Above them it is the account's concurrency that limits the API.
const HIGHEST = { rate: 500, burst: 1000 };

const env = process.env;
const given = Boolean(env.AWS_PGSQL_PATH);
const proxy = env.DATABASE_PROXY === 'true';
const size = SIZES[(env.DATABASE_CLASS || 'db.t4g.micro').split('.').pop()] || SIZES.xlarge;
// Of a given database; 100 is Postgres' own default.
const connections = given ? Number(env.DATABASE_CONNECTIONS || 100) : size.connections;
const forApi = connections - RESERVED;

// deploy/zones.py sets it at a deploy. Without it (`make package` has no credentials) CloudFormation chooses.
const zones = (env.AVAILABILITY_ZONES || '').split(',').filter(Boolean);
const zone = (index) => zones[index] || { 'Fn::Select': [index, { 'Fn::GetAZs': '' }] };

// Each cold call opens a connection and takes about a second: burst + one second's rate must fit. RDS Proxy
// bounds the connections itself.
const throttle = proxy
  ? HIGHEST
  : {
      rate: Math.min(Math.floor((2 / 3) * forApi), HIGHEST.rate),
      burst: Math.min(Math.floor(forApi / 3), HIGHEST.burst),
    };

module.exports = () => ({
  kind: given ? 'given' : 'own',
  access: proxy ? 'proxy' : 'direct',
  multiAz: env.DATABASE_MULTI_AZ === 'true',
  protected: (env.CONFIG_TYPE || 'production') === 'production',
  zoneA: zone(0),
  zoneB: zone(1),
  rate: throttle.rate,
  burst: throttle.burst,
  proxyPercent: Math.floor((100 * forApi) / connections),
  // Milliseconds. A frozen function can't close its connection. The proxy closes its own; 0 is never.
  idleSession: proxy ? '0' : '60000',
  manyConnections: Math.floor(0.8 * size.connections),
  littleMemory: Math.floor(0.05 * size.memoryGb * 2 ** 30),
  manySurplusCredits: (24 * size.creditsPerHour) / 2,
});
