'use strict';
// Removes what MiniStack does not support from the compiled template. A plugin of the Serverless CLI, which
// tests/deploy/test_stack.py adds to its copy of the project.

// 1. Resources that it does not support, and references to them.
const UNSUPPORTED = ['AWS::EC2::VPCCidrBlock', 'AWS::EC2::EgressOnlyInternetGateway'];
const isUnsupported = ({ Type, Properties }) =>
  UNSUPPORTED.includes(Type) || (Type === 'AWS::CloudWatch::Alarm' && Properties.Metrics); // an expression

// 2. It creates no database server, so the functions get the URL of the test's own.
const database = () => ({ AWS_PGSQL_PATH: process.env.TEST_PGSQL_PATH });

// 3. boto3 rejects a dual-stack endpoint together with an endpoint URL, which MiniStack sets.
const endpoint = { AWS_USE_DUALSTACK_ENDPOINT: 'false' };

// 4. DNS does not resolve the API's name to this machine.
const url = () => ({
  'Fn::Sub': `${process.env.AWS_ENDPOINT_URL}/_aws/execute-api/\${HttpApi}/$default`,
});

module.exports = class ForMiniStack {
  constructor(serverless) {
    const filter = () => {
      const template = serverless.service.provider.compiledCloudFormationTemplate;
      removeUnsupported(template.Resources);
      for (const { Type, Properties } of Object.values(template.Resources)) {
        if (Type === 'AWS::Lambda::Function') {
          Object.assign(Properties.Environment.Variables, database(), endpoint);
        }
      }
      template.Outputs.HttpApiUrl.Value = url();
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': filter };
  }
};

function removeUnsupported(resources) {
  const removed = Object.keys(resources).filter((name) => isUnsupported(resources[name]));
  for (const name of removed) delete resources[name];
  for (const resource of Object.values(resources)) {
    if (removed.includes(resource.DependsOn)) delete resource.DependsOn;
    delete resource.Properties?.Ipv6CidrBlock; // of a subnet, taken from the removed block
  }
  delete resources.RouteOut; // its target is the removed gateway
}
