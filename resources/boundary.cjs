// The permissions boundary of every role of the stack: the policy that PERMISSIONS_BOUNDARY names, or none. The role
// of deploy/github_role.yml may only create roles that have it.
module.exports = () =>
  process.env.PERMISSIONS_BOUNDARY
    ? { 'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/' + process.env.PERMISSIONS_BOUNDARY }
    : { Ref: 'AWS::NoValue' };
