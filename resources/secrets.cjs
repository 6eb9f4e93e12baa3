// deploy/secret.py stores the secrets in Secrets Manager. Each secret is a template parameter whose default is a
// dynamic reference, and functions use `Ref`: CloudFormation allows 60 dynamic references in a template, and one per
// function and secret would exceed that. The version id makes CloudFormation detect a new value.
const PARAMETERS = {
  JWT_SECRET_KEY: 'JwtSecretKey',
  JWT_SECRET_KEY_OLD: 'JwtSecretKeyOld',
  CLIENT_PASSWORD: 'ClientPassword',
  ADMIN_PASSWORD: 'AdminPassword',
  RANDOM_STRING_API_KEY: 'RandomStringApiKey',
  ORIGIN_SECRET: 'OriginSecret',
  AWS_PGSQL_PATH: 'DatabaseUrl',
};

module.exports = async ({ resolveVariable }) => {
  const secret = `restcalculator/${await resolveVariable('sls:stage')}`;
  const version = process.env.SECRET_VERSION || ''; // empty: the newest
  const given = Object.keys(PARAMETERS).filter((name) => process.env[name]);
  const parameter = (name) => ({
    Type: 'String',
    NoEcho: true,
    Default: `{{resolve:secretsmanager:${secret}:SecretString:${name}::${version}}}`,
  });
  return {
    parameters: Object.fromEntries(given.map((name) => [PARAMETERS[name], parameter(name)])),
    values: Object.fromEntries(
      Object.keys(PARAMETERS).map((name) => [name, given.includes(name) ? { Ref: PARAMETERS[name] } : '']),
    ),
  };
};
