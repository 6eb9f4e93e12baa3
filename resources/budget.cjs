// BUDGET_DOLLARS: AWS sends an e-mail to ALARM_EMAIL when the account's monthly cost reaches 80 % of it, and when the
// forecast exceeds it. The budget covers the whole account, because a filter needs a cost allocation tag, which only
// the payer's account can activate. The first two budgets of an account are free.
module.exports = async ({ resolveVariable }) => {
  const { BUDGET_DOLLARS, ALARM_EMAIL } = process.env;
  if (!BUDGET_DOLLARS) return {};
  const notification = (type, percent) => ({
    Notification: { NotificationType: type, ComparisonOperator: 'GREATER_THAN', Threshold: percent, ThresholdType: 'PERCENTAGE' },
    Subscribers: [{ SubscriptionType: 'EMAIL', Address: ALARM_EMAIL }],
  });
  return {
    Resources: {
      Budget: {
        Type: 'AWS::Budgets::Budget',
        Properties: {
          Budget: {
            BudgetName: `restcalculator-${await resolveVariable('sls:stage')}`,
            BudgetType: 'COST',
            TimeUnit: 'MONTHLY',
            BudgetLimit: { Amount: Number(BUDGET_DOLLARS), Unit: 'USD' },
          },
          NotificationsWithSubscribers: [notification('ACTUAL', 80), notification('FORECASTED', 100)],
        },
      },
    },
  };
};
