// The permissions boundary of every role of the stack: the policy that PERMISSIONS_BOUNDARY names, or none.
// deploy/github_role.yml allows its role to create only roles that have it.
module.exports = () =>
  process.env.PERMISSIONS_BOUNDARY
    ? { 'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/' + process.env.PERMISSIONS_BOUNDARY }
    : { Ref: 'AWS::NoValue' };
