'use strict';
// What MiniStack can't take, left out of the compiled template; the whole list. A plugin of the
// Serverless CLI, which tests/deploy/test_stack.py adds to its own copy of the project.

// 1. Resources that it does not know, and what speaks of them.
const UNKNOWN = ['AWS::EC2::VPCCidrBlock', 'AWS::EC2::EgressOnlyInternetGateway'];
const unknown = ({ Type, Properties }) =>
  UNKNOWN.includes(Type) || (Type === 'AWS::CloudWatch::Alarm' && Properties.Metrics); // on an expression

// 2. It makes no database server, only the record of one: the functions are told of the test's own.
const database = () => ({ AWS_PGSQL_PATH: process.env.TEST_PGSQL_PATH });

// 3. boto3 refuses a dual-stack endpoint where an endpoint is given, and MiniStack gives its own.
const endpoint = { AWS_USE_DUALSTACK_ENDPOINT: 'false' };

// 4. No DNS leads from the API's name to this machine.
const url = () => ({
  'Fn::Sub': `${process.env.AWS_ENDPOINT_URL}/_aws/execute-api/\${HttpApi}/$default`,
});

module.exports = class ForMiniStack {
  constructor(serverless) {
    const filter = () => {
      const template = serverless.service.provider.compiledCloudFormationTemplate;
      leaveOut(template.Resources);
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

function leaveOut(resources) {
  const gone = Object.keys(resources).filter((name) => unknown(resources[name]));
  for (const name of gone) delete resources[name];
  for (const resource of Object.values(resources)) {
    if (gone.includes(resource.DependsOn)) delete resource.DependsOn;
    delete resource.Properties?.Ipv6CidrBlock; // of a subnet, cut from the block that is gone
  }
  delete resources.RouteOut; // leads to the gateway that is gone
}
