// What the database settings choose: the template of the database, and the limits that follow from its class.
//
// By size of the instance class:
// - connections: what `SHOW max_connections` returns. RDS sets LEAST(DBInstanceClassMemory / 9531392, 5000), and
//   DBInstanceClassMemory is less than the nominal memory. docs/deploy.md ("Connections") has the sources; from
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

const env = process.env;
const size = SIZES[(env.DATABASE_CLASS || 'db.t4g.micro').split('.').pop()] || SIZES.xlarge;

// deploy/zones.py sets it at a deploy. Without it (`make package` has no credentials) CloudFormation chooses.
const zones = (env.AVAILABILITY_ZONES || '').split(',').filter(Boolean);
const zone = (index) => zones[index] || { 'Fn::Select': [index, { 'Fn::GetAZs': '' }] };

module.exports = () => ({
  kind: env.AWS_PGSQL_PATH ? 'given' : 'own',
  multiAz: env.DATABASE_MULTI_AZ === 'true',
  protected: (env.CONFIG_TYPE || 'production') === 'production',
  zoneA: zone(0),
  zoneB: zone(1),
  manyConnections: Math.floor(0.8 * size.connections),
  littleMemory: Math.floor(0.05 * size.memoryGb * 2 ** 30),
  manySurplusCredits: (24 * size.creditsPerHour) / 2,
});
