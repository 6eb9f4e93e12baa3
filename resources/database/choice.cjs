// Chooses the template of the database and the limits that follow from its instance class.
//
// By size of the instance class:
// - connections: what `SHOW max_connections` returns. RDS sets LEAST(DBInstanceClassMemory / 9531392, 5000), and
//   DBInstanceClassMemory is less than the nominal memory. docs/explanation/connections.md has the sources. Values
//   from medium on are four fifths of the formula's result for the nominal memory.
// - memoryGb: the nominal memory of the smallest class of that size.
// - creditsPerHour: CPU credits that a burstable class earns.
const SIZES = {
  micro: { connections: 80, memoryGb: 1, creditsPerHour: 12 },
  small: { connections: 181, memoryGb: 2, creditsPerHour: 24 },
  medium: { connections: 360, memoryGb: 4, creditsPerHour: 24 },
  large: { connections: 720, memoryGb: 8, creditsPerHour: 36 },
  xlarge: { connections: 1440, memoryGb: 16, creditsPerHour: 96 },
};
// Connections that the API must not use: 5 workers and 5 for the webhooks (serverless.yml), 4 for migrate, expire,
// restartTasks and audit, 5 that Postgres and RDS reserve for superusers, and the rest for an administrator.
const RESERVED = 20;
// Upper limits, in calls per second and in concurrent calls. Above them the account's concurrency limits the API.
const MAXIMUM = { rate: 500, burst: 1000 };

const env = process.env;
const given = Boolean(env.AWS_PGSQL_PATH);
const proxy = env.DATABASE_PROXY === 'true';
const size = SIZES[(env.DATABASE_CLASS || 'db.t4g.micro').split('.').pop()] || SIZES.xlarge;
// 100 is Postgres' default.
const connections = given ? Number(env.DATABASE_CONNECTIONS || 100) : size.connections;
const forApi = connections - RESERVED;

// deploy/zones.py sets AVAILABILITY_ZONES at a deploy. `make package` has no credentials, so CloudFormation chooses.
const zones = (env.AVAILABILITY_ZONES || '').split(',').filter(Boolean);
const zone = (index) => zones[index] || { 'Fn::Select': [index, { 'Fn::GetAZs': '' }] };

// A cold call opens a connection and takes about a second, so the burst plus one second's rate must fit into the
// connections. RDS Proxy limits the connections itself.
const throttle = proxy
  ? MAXIMUM
  : {
      rate: Math.min(Math.floor((2 / 3) * forApi), MAXIMUM.rate),
      burst: Math.min(Math.floor(forApi / 3), MAXIMUM.burst),
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
  // Milliseconds; 0 disables the timeout. A frozen function can't close its connection. The proxy closes its own.
  idleSession: proxy ? '0' : '60000',
  // Thresholds of the alarms.
  connectionsThreshold: Math.floor(0.8 * size.connections),
  freeMemoryThreshold: Math.floor(0.05 * size.memoryGb * 2 ** 30),
  surplusCreditsThreshold: (24 * size.creditsPerHour) / 2,
});
