// Each secret as a reference, so that no template holds one: deploy/secret.py keeps the values in Secrets
// Manager, and CloudFormation reads them there. The version is named for CloudFormation to notice a new one.
const NAMES = [
  'JWT_SECRET_KEY', 'JWT_SECRET_KEY_OLD', 'CLIENT_PASSWORD', 'ADMIN_PASSWORD', 'RANDOM_STRING_API_KEY', 'AWS_PGSQL_PATH',
];

module.exports = async ({ resolveVariable }) => {
  const secret = `restcalculator/${await resolveVariable('sls:stage')}`;
  const version = process.env.SECRET_VERSION || ''; // without one, the newest
  const reference = (name) => `{{resolve:secretsmanager:${secret}:SecretString:${name}::${version}}}`;
  return Object.fromEntries(NAMES.map((name) => [name, process.env[name] ? reference(name) : '']));
};
