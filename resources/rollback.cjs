// The alarms that CloudFormation watches during a deploy and for ROLLBACK_MINUTES after it. If one of them enters
// ALARM, CloudFormation rolls the whole stack back. deploy/release.py sets their ARNs. The list is sent even when it is
// empty, because CloudFormation otherwise keeps the previous deploy's list.
module.exports = () => ({
  RollbackTriggers: (process.env.ROLLBACK_ALARMS || '')
    .split(',')
    .filter(Boolean)
    .map((Arn) => ({ Arn, Type: 'AWS::CloudWatch::Alarm' })),
  MonitoringTimeInMinutes: process.env.ROLLBACK_ALARMS ? Number(process.env.ROLLBACK_MINUTES) : 0,
});
