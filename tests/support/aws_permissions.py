"""The permissions that a deploy needs: the calls that CloudFormation makes for each resource type.

From the handlers in CloudFormation's registry (`aws cloudformation describe-type`), as of November 2026.
"""

A = "us-east-1:123456789012"
FUNCTION = f"arn:aws:lambda:{A}:function:restcalculator-dev-login"
MAPPING = f"arn:aws:lambda:{A}:event-source-mapping:0f1e2d3c"
LOG_GROUP = f"arn:aws:logs:{A}:log-group:/aws/lambda/restcalculator-dev-login"
API_LOG_GROUP = f"arn:aws:logs:{A}:log-group:/aws/http-api/restcalculator-dev"
API = "arn:aws:apigateway:us-east-1::/apis"
ROLE = "arn:aws:iam::123456789012:role/restcalculator-dev-DatabaseRole-1A2B3C"
POLICY = "arn:aws:iam::123456789012:policy/restcalculator-dev-LogsAndTraces-1A2B3C"
BUCKET = "arn:aws:s3:::buckeeto-123456789012-us-east-1-dev"
PACKAGES = "arn:aws:s3:::restcalculator-dev-serverlessdeploymentbucket-1a2b3c"
QUEUE = f"arn:aws:sqs:{A}:opworker-dev"
DEAD_LETTERS = f"arn:aws:sqs:{A}:opworker-dev-dlq"
TOPIC = f"arn:aws:sns:{A}:restcalculator-dev-Alarms-1A2B3C"
ALARM = f"arn:aws:cloudwatch:{A}:alarm:restcalculator-dev-SlowAlarm-1A2B3C"
DASHBOARD = "arn:aws:cloudwatch::123456789012:dashboard/restcalculator-dev"
RULE = f"arn:aws:events:{A}:rule/restcalculator-dev-ExpireEventsRuleSchedule1-1A2B3C"
SECRET = f"arn:aws:secretsmanager:{A}:secret:restcalculator/dev/database-1A2B3C"
DATABASE = f"arn:aws:rds:{A}:db:restcalculator-dev-database-1a2b3c"
SNAPSHOT = f"arn:aws:rds:{A}:snapshot:restcalculator-dev-snapshot-database-1a2b3c"
PARAMETERS = f"arn:aws:rds:{A}:pg:restcalculator-dev-databaseparameters-1a2b3c"
SUBNETS = f"arn:aws:rds:{A}:subgrp:restcalculator-dev-databasesubnets-1a2b3c"
PROXY = f"arn:aws:rds:{A}:db-proxy:prx-0a1b2c"
TARGETS = f"arn:aws:rds:{A}:target-group:prx-tg-0a1b2c"
BUDGET = "arn:aws:budgets::123456789012:budget/restcalculator-dev"
DATABASE_LOGS = f"arn:aws:logs:{A}:log-group:/aws/rds/instance/restcalculator-dev-database-1a2b3c/postgresql"
EC2 = f"arn:aws:ec2:{A}:vpc/vpc-0a1b2c"

NEEDED: dict[str, list[tuple[str, str, str]]] = {
    # type: (resource, service, its actions)
    "AWS::Lambda::Function": [
        (
            FUNCTION,
            "lambda",
            "CreateFunction GetFunction GetFunctionConfiguration UpdateFunctionCode"
            " UpdateFunctionConfiguration DeleteFunction PutFunctionConcurrency DeleteFunctionConcurrency"
            " PutFunctionRecursionConfig GetFunctionRecursionConfig GetRuntimeManagementConfig"
            " GetFunctionCodeSigningConfig TagResource UntagResource",
        ),
        (ROLE, "iam", "PassRole"),
        (f"{PACKAGES}/serverless/restcalculator.zip", "s3", "GetObject"),
        (EC2, "ec2", "DescribeVpcs DescribeSubnets DescribeSecurityGroups"),
    ],
    "AWS::Lambda::Permission": [(FUNCTION, "lambda", "AddPermission RemovePermission GetPolicy")],
    "AWS::Lambda::EventSourceMapping": [
        (
            MAPPING,
            "lambda",
            "CreateEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping"
            " DeleteEventSourceMapping",
        )
    ],
    "AWS::Logs::LogGroup": [
        (
            group,
            "logs",
            "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy DescribeLogGroups"
            " TagResource UntagResource ListTagsForResource",
        )
        for group in (LOG_GROUP, API_LOG_GROUP)
    ],
    "AWS::ApiGatewayV2::Api": [
        (API, "apigateway", "POST"),
        (f"{API}/a1b2c3", "apigateway", "GET PATCH DELETE"),
        ("arn:aws:apigateway:us-east-1::/tags/arn", "apigateway", "POST PUT GET DELETE"),
    ],
    "AWS::ApiGatewayV2::Integration": [(f"{API}/a/integrations/b", "apigateway", "POST GET PATCH DELETE")],
    "AWS::ApiGatewayV2::Route": [(f"{API}/a/routes/b", "apigateway", "POST GET PATCH DELETE")],
    "AWS::ApiGatewayV2::Stage": [
        (f"{API}/a/stages/$default", "apigateway", "POST GET PATCH PUT DELETE"),
        (
            API_LOG_GROUP,
            "logs",
            "CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries"
            " PutResourcePolicy DescribeResourcePolicies DescribeLogGroups",
        ),
    ],
    "AWS::ApiGatewayV2::DomainName": [
        (
            "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/A",
            "iam",
            "CreateServiceLinkedRole",
        ),
        ("arn:aws:apigateway:us-east-1::/domainnames", "apigateway", "POST"),
        ("arn:aws:apigateway:us-east-1::/domainnames/a.b", "apigateway", "GET PATCH DELETE"),
    ],
    "AWS::ApiGatewayV2::ApiMapping": [
        ("arn:aws:apigateway:us-east-1::/domainnames/a.b/apimappings", "apigateway", "POST GET PATCH DELETE")
    ],
    "AWS::CloudWatch::Alarm": [
        (ALARM, "cloudwatch", "PutMetricAlarm DescribeAlarms DeleteAlarms TagResource ListTagsForResource")
    ],
    "AWS::CloudWatch::Dashboard": [(DASHBOARD, "cloudwatch", "PutDashboard GetDashboard DeleteDashboards")],
    "AWS::IAM::Role": [
        (
            ROLE,
            "iam",
            "CreateRole GetRole DeleteRole UpdateRole UpdateAssumeRolePolicy PutRolePolicy GetRolePolicy"
            " DeleteRolePolicy ListRolePolicies AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies"
            " PutRolePermissionsBoundary TagRole UntagRole",
        )
    ],
    "AWS::IAM::ManagedPolicy": [
        (
            POLICY,
            "iam",
            "CreatePolicy GetPolicy GetPolicyVersion CreatePolicyVersion DeletePolicyVersion"
            " ListPolicyVersions DeletePolicy",
        ),
        (ROLE, "iam", "AttachRolePolicy DetachRolePolicy"),
    ],
    "AWS::S3::Bucket": [
        (
            bucket,
            "s3",
            "CreateBucket DeleteBucket PutBucketPublicAccessBlock GetBucketPublicAccessBlock"
            " PutEncryptionConfiguration GetEncryptionConfiguration PutLifecycleConfiguration"
            " GetLifecycleConfiguration PutBucketNotification GetBucketNotification PutBucketCORS"
            " GetBucketCORS PutBucketOwnershipControls GetBucketOwnershipControls PutBucketTagging",
        )
        for bucket in (BUCKET, PACKAGES)
    ],
    "AWS::S3::BucketPolicy": [
        (bucket, "s3", "PutBucketPolicy GetBucketPolicy DeleteBucketPolicy") for bucket in (BUCKET, PACKAGES)
    ],
    "AWS::SQS::Queue": [
        (
            queue,
            "sqs",
            "CreateQueue DeleteQueue GetQueueAttributes GetQueueUrl SetQueueAttributes TagQueue"
            " ListQueueTags",
        )
        for queue in (QUEUE, DEAD_LETTERS)
    ],
    "AWS::SQS::QueuePolicy": [(QUEUE, "sqs", "SetQueueAttributes GetQueueAttributes")],
    "AWS::SNS::Topic": [
        (
            TOPIC,
            "sns",
            "CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes ListSubscriptionsByTopic"
            " TagResource ListTagsForResource",
        )
    ],
    "AWS::SNS::Subscription": [
        (TOPIC, "sns", "Subscribe"),
        (f"{TOPIC}:0f1e2d3c", "sns", "Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes"),
    ],
    "AWS::Events::Rule": [
        (RULE, "events", "PutRule DescribeRule DeleteRule PutTargets RemoveTargets ListTargetsByRule")
    ],
    "AWS::SecretsManager::Secret": [
        (
            SECRET,
            "secretsmanager",
            "CreateSecret DescribeSecret UpdateSecret DeleteSecret GetSecretValue PutSecretValue TagResource"
            " GetRandomPassword",
        )
    ],
    "AWS::RDS::DBInstance": [
        (
            DATABASE,
            "rds",
            "CreateDBInstance DescribeDBInstances ModifyDBInstance RebootDBInstance DeleteDBInstance"
            " CreateDBSnapshot AddTagsToResource RemoveTagsFromResource ListTagsForResource",
        ),
        (SNAPSHOT, "rds", "CreateDBSnapshot AddTagsToResource DescribeDBSnapshots"),
        (PARAMETERS, "rds", "CreateDBInstance ModifyDBInstance"),
        (SUBNETS, "rds", "CreateDBInstance"),
        (f"arn:aws:rds:{A}:og:default:postgres-18", "rds", "CreateDBInstance"),
        (
            "arn:aws:iam::123456789012:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
            "iam",
            "CreateServiceLinkedRole",
        ),
        (
            EC2,
            "ec2",
            "DescribeAccountAttributes DescribeAvailabilityZones DescribeInternetGateways DescribeVpcs"
            " DescribeSecurityGroups DescribeSubnets DescribeVpcAttribute",
        ),
    ],
    "AWS::RDS::DBParameterGroup": [
        (
            PARAMETERS,
            "rds",
            "CreateDBParameterGroup DescribeDBParameterGroups DescribeDBParameters DeleteDBParameterGroup"
            " ModifyDBParameterGroup ResetDBParameterGroup DescribeEngineDefaultParameters AddTagsToResource",
        )
    ],
    "AWS::RDS::DBSubnetGroup": [
        (
            SUBNETS,
            "rds",
            "CreateDBSubnetGroup DescribeDBSubnetGroups ModifyDBSubnetGroup DeleteDBSubnetGroup"
            " AddTagsToResource",
        )
    ],
    "AWS::RDS::DBProxy": [
        (PROXY, "rds", "CreateDBProxy DescribeDBProxies ModifyDBProxy DeleteDBProxy AddTagsToResource"),
        (ROLE, "iam", "PassRole"),
    ],
    "AWS::RDS::DBProxyTargetGroup": [
        (
            TARGETS,
            "rds",
            "RegisterDBProxyTargets DeregisterDBProxyTargets DescribeDBProxyTargets"
            " DescribeDBProxyTargetGroups ModifyDBProxyTargetGroup",
        )
    ],
    "AWS::Budgets::Budget": [(BUDGET, "budgets", "ModifyBudget ViewBudget")],
    "AWS::EC2::VPC": [(EC2, "ec2", "CreateVpc DeleteVpc ModifyVpcAttribute DescribeVpcs CreateTags")],
    "AWS::EC2::VPCCidrBlock": [(EC2, "ec2", "AssociateVpcCidrBlock DisassociateVpcCidrBlock")],
    "AWS::EC2::Subnet": [
        (
            EC2,
            "ec2",
            "CreateSubnet DeleteSubnet ModifySubnetAttribute AssociateSubnetCidrBlock DescribeSubnets",
        )
    ],
    "AWS::EC2::SecurityGroup": [
        (
            EC2,
            "ec2",
            "CreateSecurityGroup DeleteSecurityGroup AuthorizeSecurityGroupIngress"
            " AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress",
        )
    ],
    "AWS::EC2::SecurityGroupIngress": [
        (EC2, "ec2", "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress DescribeSecurityGroupRules")
    ],
    "AWS::EC2::SecurityGroupEgress": [
        (EC2, "ec2", "AuthorizeSecurityGroupEgress RevokeSecurityGroupEgress DescribeSecurityGroupRules")
    ],
    "AWS::EC2::RouteTable": [(EC2, "ec2", "CreateRouteTable DeleteRouteTable DescribeRouteTables")],
    "AWS::EC2::SubnetRouteTableAssociation": [(EC2, "ec2", "AssociateRouteTable DisassociateRouteTable")],
    "AWS::EC2::Route": [(EC2, "ec2", "CreateRoute ReplaceRoute DeleteRoute")],
    "AWS::EC2::EgressOnlyInternetGateway": [
        (EC2, "ec2", "CreateEgressOnlyInternetGateway DeleteEgressOnlyInternetGateway")
    ],
    "AWS::EC2::VPCEndpoint": [
        (EC2, "ec2", "CreateVpcEndpoint ModifyVpcEndpoint DeleteVpcEndpoints DescribeVpcEndpoints")
    ],
}

STACK = f"arn:aws:cloudformation:{A}:stack/restcalculator-dev/0f1e2d3c"
MIGRATE = f"arn:aws:lambda:{A}:function:restcalculator-dev-migrate"
SETTINGS = f"arn:aws:secretsmanager:{A}:secret:restcalculator/dev-1A2B3C"

DIRECT: list[tuple[str, str, str]] = [
    # (resource, service, the actions that the Serverless CLI and deploy/*.py call themselves)
    (
        STACK,
        "cloudformation",
        "CreateStack UpdateStack CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet"
        " DescribeStacks DescribeStackEvents DescribeStackResource DescribeStackResources ListStackResources"
        " GetTemplate ValidateTemplate",
    ),
    (PACKAGES, "s3", "GetBucketLocation ListBucket ListBucketVersions"),
    (f"{PACKAGES}/serverless/a.zip", "s3", "PutObject GetObject DeleteObject DeleteObjectVersion"),
    (FUNCTION, "lambda", "GetFunction"),
    (MIGRATE, "lambda", "GetFunctionConfiguration UpdateFunctionCode InvokeFunction"),
    (SETTINGS, "secretsmanager", "GetSecretValue CreateSecret PutSecretValue"),
    (ALARM, "cloudwatch", "DescribeAlarms"),
    (EC2, "ec2", "DescribeAvailabilityZones DescribeSubnets"),
    (DATABASE_LOGS, "logs", "CreateLogGroup PutRetentionPolicy"),
]
