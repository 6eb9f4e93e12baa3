// The API's own domain, when DOMAIN and CERTIFICATE_ARN are set. The default endpoint is disabled then, so that
// clients have one origin. Output HttpApiUrl replaces the one of the Serverless CLI.
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

module.exports = () => ({ isSet: Boolean(DOMAIN), template: DOMAIN ? withDomain : {} });
