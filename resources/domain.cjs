// The API's own domain, if DOMAIN and CERTIFICATE_ARN are set. It disables the default endpoint, so that the API has
// one origin. The output HttpApiUrl replaces that of the Serverless CLI.
const { DOMAIN, CERTIFICATE_ARN } = process.env;

const withDomain = {
  Resources: {
    Domain: {
      Type: 'AWS::ApiGatewayV2::DomainName',
      Properties: {
        DomainName: DOMAIN,
        DomainNameConfigurations: [
          { CertificateArn: CERTIFICATE_ARN, EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' },
        ],
      },
    },
    DomainMapping: {
      Type: 'AWS::ApiGatewayV2::ApiMapping',
      Properties: { ApiId: { Ref: 'HttpApi' }, DomainName: { Ref: 'Domain' }, Stage: { Ref: 'HttpApiStage' } },
    },
  },
  Outputs: {
    HttpApiUrl: { Value: `https://${DOMAIN}` },
    DomainTarget: { Value: { 'Fn::GetAtt': ['Domain', 'RegionalDomainName'] } },
  },
};

const defaultOrigin = { 'Fn::Sub': 'https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}' };

module.exports = () => ({
  isSet: Boolean(DOMAIN),
  origin: DOMAIN ? `https://${DOMAIN}` : defaultOrigin,
  template: DOMAIN ? withDomain : {},
});
