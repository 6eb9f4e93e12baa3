"""The template of the stack, as the Serverless CLI compiles it."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.alarms import WATCHED
from deploy.environment import ROOT
from deploy.secret import database_name_of
from deploy.serverless_file import Service
from shared.database.connection import statement_text
from tests.deploy.conftest import ALARMS, PLANTED, VERSION, Template, packaged

SERVICE = Service.load(ROOT / "serverless.yml", {})
Resources = dict[str, dict[str, Any]]
BUSINESS_METRICS = [
    "OperationsCharged",
    "CreditsCharged",
    "ChargesRefused",
    "RowsBilled",
    "RowsRefused",
    "BatchCredits",
]
BUSINESS_METRICS += ["TasksCompleted", "TasksFailed", "TasksOutOfCredit"]
BUSINESS_METRICS += ["WebhooksDelivered", "WebhooksFailed", "WebhooksPaused"]
"""The business metrics that the functions emit."""
DYNAMIC_REFERENCES = 60
"""CloudFormation's documented limit for a template."""
ADDITIONAL_FUNCTIONS = 40
NO_SIGNING_KEY = {
    "functions/console/asset.app",
    "functions/console/index.app",
    "functions/docs/health.app",
    "functions/docs/not_found.app",
    "functions/docs/openapi.app",
    "functions/docs/page.app",
    "functions/housekeeping/audit.handler",
    "functions/housekeeping/expire.handler",
    "functions/housekeeping/restart_tasks.handler",
    "migrations/handler.handler",
    "webhooks/dispatcher.handler",
    "webhooks/recorder.handler",
    "webhooks/sender.handler",
    "worker/handler.handler",
}
"""The functions that handle no token."""
SENDER = "webhooks/sender.handler"
"""The only function that is outside the stack's network and has no access to the database."""
PASSWORDS = ("Login", "CreateAdmin", "CreateUser", "UpdateUser", "ChangePassword")
MEGABYTES = {"Worker": 1024, **dict.fromkeys(PASSWORDS, 1769)}
"""The memory of the worker, and of the functions that hash or verify a password."""
SECONDS = {"Worker": 900, "Audit": 900, "Expire": 300, "Migrate": 300, "RestartTasks": 60}
SECONDS |= {"DispatchWebhooks": 60, "SendWebhook": 30, "RecordWebhook": 60}
"""The timeouts of functions that may take longer than a request."""


@pytest.fixture(scope="module")
def resources(default_template: Template) -> Resources:
    found: Resources = default_template["Resources"]
    return found


def of_type(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def statements(resources: Resources) -> list[dict[str, Any]]:
    documents = [
        policy["PolicyDocument"] for policy in of_type(resources, "AWS::IAM::ManagedPolicy").values()
    ]
    for role in of_type(resources, "AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    return [statement for document in documents for statement in document["Statement"]]


def test_every_function_and_route_is_deployed(resources: Resources) -> None:
    handlers = {function["Handler"] for function in of_type(resources, "AWS::Lambda::Function").values()}
    assert handlers == {function.handler for function in SERVICE.functions.values()}
    handlers_by_route = {
        route["RouteKey"]: handler_of(resources, route)
        for route in of_type(resources, "AWS::ApiGatewayV2::Route").values()
    }
    assert handlers_by_route == {route.key: route.function.handler for route in SERVICE.routes}


def handler_of(resources: Resources, route: dict[str, Any]) -> str:
    """Return the handler of a route, by its integration and function."""
    integration = resources[route["Target"]["Fn::Join"][1][1]["Ref"]]["Properties"]
    function = resources[integration["IntegrationUri"]["Fn::GetAtt"][0]]["Properties"]
    return str(function["Handler"])


def variables(resources: Resources) -> dict[str, dict[str, Any]]:
    """Return the environment of each function, by its handler."""
    functions = of_type(resources, "AWS::Lambda::Function").values()
    return {function["Handler"]: function["Environment"]["Variables"] for function in functions}


def test_templates_contain_no_secrets(default_template: Template, external_template: Template) -> None:
    for text in (json.dumps(default_template), json.dumps(external_template)):
        assert not [name for name, value in PLANTED.items() if value in text]
    assert "postgresql://" not in json.dumps(external_template)
    environment = variables(external_template["Resources"])["functions/users/me.app"]
    for name, parameter in (("JWT_SECRET_KEY", "JwtSecretKey"), ("AWS_PGSQL_PATH", "DatabaseUrl")):
        assert environment[name] == {"Ref": parameter}
        reference = f"{{{{resolve:secretsmanager:restcalculator/dev:SecretString:{name}::{VERSION}}}}}"
        assert external_template["Parameters"][parameter] == {
            "Type": "String",
            "NoEcho": True,
            "Default": reference,
        }


def test_dynamic_references_stay_within_the_limit_with_forty_more_functions(
    default_template: Template, proxy_template: Template, external_template: Template
) -> None:
    for template in (default_template, proxy_template, external_template):
        functions = of_type(template["Resources"], "AWS::Lambda::Function").values()
        in_a_function = max(references(function) for function in functions)
        assert references(template) + ADDITIONAL_FUNCTIONS * in_a_function <= DYNAMIC_REFERENCES


def references(part: dict[str, Any]) -> int:
    return json.dumps(part).count("{{resolve:")


def test_database_password_is_a_reference_to_its_secret(default_template: Template) -> None:
    name = default_template["Resources"]["DatabaseSecret"]["Properties"]["Name"]
    assert name == database_name_of("dev")
    reference = f"{{{{resolve:secretsmanager:{name}:SecretString:password}}}}"
    assert default_template["Parameters"]["DatabasePassword"]["Default"] == reference
    urls = {
        json.dumps(environment["AWS_PGSQL_PATH"])
        for handler, environment in variables(default_template["Resources"]).items()
        if handler != SENDER
    }
    assert all("${DatabasePassword}@${" in url for url in urls), urls


def test_each_secret_is_passed_only_to_functions_that_need_it(resources: Resources) -> None:
    environment = variables(resources)
    holders = {
        name: {handler for handler in environment if environment[handler].get(name)} for name in PLANTED
    }
    assert holders == {
        "JWT_SECRET_KEY": set(environment) - NO_SIGNING_KEY,
        "JWT_SECRET_KEY_OLD": set(environment) - NO_SIGNING_KEY,
        "CLIENT_PASSWORD": {"migrations/handler.handler"},
        "ADMIN_PASSWORD": {"migrations/handler.handler", "functions/auth/create_admin.app"},
        "ORIGIN_SECRET": {
            "functions/auth/login.app",
            "functions/auth/create_admin.app",
            "functions/users/change_password.app",
        },
        "RANDOM_STRING_API_KEY": {"functions/calculator/process_operation.app", "worker/handler.handler"},
    }


def test_template_with_an_external_database_has_no_database_and_no_network(
    external_template: Template,
) -> None:
    prefixes = ("AWS::RDS::", "AWS::EC2::", "AWS::SecretsManager::")
    assert not [
        name for name, one in external_template["Resources"].items() if one["Type"].startswith(prefixes)
    ]
    for function in of_type(external_template["Resources"], "AWS::Lambda::Function").values():
        assert not any(function.get("VpcConfig", {}).values())
    for environment in variables(external_template["Resources"]).values():
        assert (environment["AWS_USE_DUALSTACK_ENDPOINT"], environment["OUTBOUND_IPV6_ONLY"]) == (
            "false",
            "false",
        )


def test_functions_in_the_stacks_network_connect_by_ipv6(resources: Resources) -> None:
    for handler, environment in variables(resources).items():
        expected = "false" if handler == SENDER else "true"
        assert (environment["AWS_USE_DUALSTACK_ENDPOINT"], environment["OUTBOUND_IPV6_ONLY"]) == (
            expected,
            expected,
        )


@pytest.mark.parametrize("template", ["default_template", "proxy_template", "external_template"])
def test_sender_of_webhooks_is_outside_the_network_and_has_no_way_to_the_database(
    request: pytest.FixtureRequest, template: str
) -> None:
    resources: Resources = request.getfixturevalue(template)["Resources"]
    for function in of_type(resources, "AWS::Lambda::Function").values():
        if function["Handler"] == SENDER:
            assert "VpcConfig" not in function
            environment = function["Environment"]["Variables"]
            assert {name for name, value in environment.items() if value} == {
                *("CONFIG_TYPE", "POWERTOOLS_METRICS_NAMESPACE", "REPORT_QUEUE_URL", "RES_OPTIONS"),
                *("AWS_USE_DUALSTACK_ENDPOINT", "OUTBOUND_IPV6_ONLY"),
            }
            assert "DatabasePassword" not in json.dumps(function)
            assert function["Role"] == {"Fn::GetAtt": ["SenderRole", "Arn"]}
    role = resources["SenderRole"]["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": "LogsAndTraces"}]
    (policy,) = role["Policies"]
    assert [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]] == [
        {"Fn::GetAtt": ["SendQueue", "Arn"]},
        {"Fn::GetAtt": ["ReportQueue", "Arn"]},
    ]


def test_queues_of_the_webhooks_wait_longer_than_their_functions_and_have_a_dead_letter_queue(
    resources: Resources,
) -> None:
    served = {"DispatchQueue": "dispatchWebhooks", "SendQueue": "sendWebhook", "ReportQueue": "recordWebhook"}
    for name, function in served.items():
        queue = resources[name]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * SERVICE.functions[function].timeout
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {
            "Fn::GetAtt": ["WebhookDeadLetterQueue", "Arn"]
        }


def test_visibility_timeout_is_six_times_the_workers_timeout(resources: Resources) -> None:
    queue = resources["WorkQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * SERVICE.functions["worker"].timeout
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_worker_receives_one_message_at_a_time_and_reports_failures(resources: Resources) -> None:
    (mapping,) = (
        one
        for one in of_type(resources, "AWS::Lambda::EventSourceMapping").values()
        if one["EventSourceArn"] == {"Fn::GetAtt": ["WorkQueue", "Arn"]}
    )
    assert mapping["BatchSize"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_lambda_allows_functions_to_send_messages_that_lead_back_to_them(resources: Resources) -> None:
    """By default Lambda stops such a loop after about 16 messages. A long file needs more hand-overs."""
    allowed = {
        name
        for name, function in of_type(resources, "AWS::Lambda::Function").items()
        if function.get("RecursiveLoop") == "Allow"
    }
    loops = {"Worker", "DispatchWebhooks", "SendWebhook", "RecordWebhook"}
    assert allowed == {f"{name}LambdaFunction" for name in loops}


def test_bad_rows_are_deleted_when_their_results_expire(resources: Resources) -> None:
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    (days,) = (rule["ExpirationInDays"] for rule in rules if rule["Id"] == "results")
    assert f"finished_at <= now() - interval '{days} days'" in statement_text("expire_task_errors")


def test_bucket_notifies_the_queue_only_of_uploads(resources: Resources) -> None:
    (environment,) = resources["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert environment["Queue"] == {"Fn::GetAtt": ["WorkQueue", "Arn"]}
    assert environment["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "uploads/"}]


def test_bucket_is_private_and_encrypted(resources: Resources) -> None:
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    for name, one in of_type(resources, "AWS::S3::Bucket").items():
        assert one["BucketEncryption"], name


def test_objects_in_the_bucket_expire(resources: Resources) -> None:
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule} == {
        "uploads/": 30,
        "results/": 90,
        "exports/": 7,
    }
    assert [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule]


def test_only_the_frontend_and_the_api_are_allowed_origins(resources: Resources) -> None:
    api = resources["HttpApi"]["Properties"]["CorsConfiguration"]
    (rule,) = resources["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert api["AllowOrigins"] == ["https://app.example.com"]
    own_pages = {"Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert rule["AllowedOrigins"] == ["https://app.example.com", own_pages]
    assert api["AllowCredentials"] is True
    assert rule["AllowedMethods"] == ["GET", "POST"]


def test_outputs_contain_the_values_for_deploy_and_operation(default_template: Template) -> None:
    assert {
        *("HttpApiUrl", "WorkQueueUrl", "DeadLetterQueueUrl", "BucketName", "AlarmsTopicArn", "DashboardUrl"),
        *("DatabaseAddress", "DatabaseSecretArn"),
    } <= set(default_template["Outputs"])


def test_functions_have_no_published_versions(resources: Resources) -> None:
    assert of_type(resources, "AWS::Lambda::Version") == {}


def test_api_has_only_its_default_endpoint_by_default(resources: Resources) -> None:
    assert resources["HttpApi"]["Properties"]["DisableExecuteApiEndpoint"] is False
    assert of_type(resources, "AWS::ApiGatewayV2::DomainName") == {}


def test_custom_domain_replaces_the_default_endpoint(default_template: Template, tmp_path: Path) -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd"
    template = packaged(tmp_path, DOMAIN="api.example.com", CERTIFICATE_ARN=certificate)
    resources, outputs = template["Resources"], template["Outputs"]
    assert resources["HttpApi"]["Properties"]["DisableExecuteApiEndpoint"] is True
    (rule,) = resources["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert "https://api.example.com" in rule["AllowedOrigins"]
    (domain,) = of_type(resources, "AWS::ApiGatewayV2::DomainName").values()
    assert domain["DomainName"] == "api.example.com"
    assert domain["DomainNameConfigurations"] == [
        {"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    ]
    (mapping,) = of_type(resources, "AWS::ApiGatewayV2::ApiMapping").values()
    assert mapping["ApiId"] == {"Ref": "HttpApi"}
    assert outputs["HttpApiUrl"]["Value"] == "https://api.example.com"
    assert outputs["DomainTarget"]["Value"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}


def test_no_statement_allows_everything_on_everything(resources: Resources) -> None:
    wide = [statement for statement in statements(resources) if statement["Resource"] in ("*", ["*"])]
    tracing, networking, forbidden = wide  # the first two cannot be limited to a resource
    assert tracing["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    assert all(
        action.endswith(("NetworkInterface", "PrivateIpAddresses")) or ":Describe" in action
        for action in networking["Action"]
    )
    assert (forbidden["Effect"], forbidden["Action"]) == ("Deny", networking["Action"])
    assert "lambda:SourceFunctionArn" in forbidden["Condition"]["ArnLike"]
    assert not [one for one in statements(resources) if "*" in str(one["Action"])]


def test_roles_use_only_policies_of_the_template(resources: Resources) -> None:
    own_policies = [{"Ref": name} for name in of_type(resources, "AWS::IAM::ManagedPolicy")]
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        expected = [{"Ref": "LogsAndTraces"}] if name == "SenderRole" else own_policies
        assert role["ManagedPolicyArns"] == expected, name


def test_function_that_needs_only_the_database_has_no_other_permissions(resources: Resources) -> None:
    assert "Policies" not in resources["DatabaseRole"]["Properties"]
    roles = {
        function["Handler"]: function["Role"]["Fn::GetAtt"][0]
        for function in of_type(resources, "AWS::Lambda::Function").values()
    }
    assert {handler: role for handler, role in roles.items() if role != "DatabaseRole"} == {
        "functions/tasks/process_csv.app": "UploadRole",
        "functions/tasks/create.app": "UploadRole",
        "functions/tasks/results.app": "ResultsRole",
        "functions/exports/create.app": "QueueRole",
        "functions/exports/get.app": "ExportsRole",
        "functions/tasks/cancel.app": "QueueRole",
        "functions/tasks/resume.app": "QueueRole",
        "functions/tasks/start.app": "QueueRole",
        "functions/housekeeping/restart_tasks.handler": "QueueRole",
        "functions/webhooks/test.app": "DispatchRole",
        "functions/webhooks/redeliver.app": "DispatchRole",
        "webhooks/dispatcher.handler": "DispatcherRole",
        "webhooks/recorder.handler": "RecorderRole",
        "webhooks/sender.handler": "SenderRole",
        "worker/handler.handler": "WorkerRole",
    }


def test_database_is_private_encrypted_protected_and_requires_tls(resources: Resources) -> None:
    (database,) = of_type(resources, "AWS::RDS::DBInstance").values()
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["BackupRetentionPeriod"] >= 7
    assert resources["DatabaseParameters"]["Properties"]["Parameters"]["rds.force_ssl"] == "1"


def test_database_logs_slow_statements_and_errors_without_values(resources: Resources) -> None:
    (database,) = of_type(resources, "AWS::RDS::DBInstance").values()
    assert database["EnableCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    parameters = resources["DatabaseParameters"]["Properties"]["Parameters"]
    assert parameters["log_min_duration_statement"] == "1000"
    assert parameters["log_parameter_max_length"] == parameters["log_parameter_max_length_on_error"] == "0"
    assert parameters["log_error_verbosity"] == "terse"


def test_database_uses_the_free_tier_of_performance_insights(resources: Resources) -> None:
    (database,) = of_type(resources, "AWS::RDS::DBInstance").values()
    assert database["EnablePerformanceInsights"] is True
    assert (database["DatabaseInsightsMode"], database["PerformanceInsightsRetentionPeriod"]) == (
        "standard",
        7,
    )


def test_s3_endpoint_allows_only_this_bucket_and_the_actions_of_the_roles(resources: Resources) -> None:
    def of_s3(statement: dict[str, Any]) -> set[str]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        return {action for action in actions if action.startswith("s3:")}

    (endpoint,) = of_type(resources, "AWS::EC2::VPCEndpoint").values()
    endpoint_statements = endpoint["PolicyDocument"]["Statement"]
    assert all("Bucket" in json.dumps(statement["Resource"]) for statement in endpoint_statements)
    allowed = set().union(*(of_s3(statement) for statement in endpoint_statements))
    assert allowed == set().union(*(of_s3(statement) for statement in statements(resources)))


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm watches."""
    if "Metrics" not in alarm:
        return [alarm]
    return [part["MetricStat"]["Metric"] for part in alarm["Metrics"] if "MetricStat" in part]


def test_dashboard_shows_the_business_metrics_in_the_functions_namespace(resources: Resources) -> None:
    functions = of_type(resources, "AWS::Lambda::Function").values()
    environment = {one["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] for one in functions}
    assert environment == {"restcalculator-dev"}
    (dashboard,) = of_type(resources, "AWS::CloudWatch::Dashboard").values()
    shown = dashboard["DashboardBody"]["Fn::Sub"]
    for metric in BUSINESS_METRICS:
        assert f'"restcalculator-dev", "{metric}"' in shown or f'MetricName=\\"{metric}\\"' in shown, metric


def test_dead_letters_and_failures_raise_alarms(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    watched = {
        (metric["Namespace"], metric["MetricName"]) for alarm in alarms for metric in metrics_of(alarm)
    }
    assert watched == {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/ApiGateway", "Latency"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "Errors"),
        ("restcalculator-dev", "MessagesFailed"),
        ("AWS/RDS", "FreeStorageSpace"),
        ("AWS/RDS", "CPUUtilization"),
        ("AWS/RDS", "DatabaseConnections"),
        ("AWS/RDS", "FreeableMemory"),
        ("AWS/RDS", "CPUSurplusCreditBalance"),
    }
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms} == {'[{"Ref": "Alarms"}]'}
    dead = [alarm for alarm in alarms if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"]
    assert [(alarm["Dimensions"][0]["Value"], alarm["Threshold"]) for alarm in dead] == [
        ({"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}, 0),
        ({"Fn::GetAtt": ["WebhookDeadLetterQueue", "QueueName"]}, 0),
    ]
    old = [alarm for alarm in alarms if alarm.get("MetricName") == "ApproximateAgeOfOldestMessage"]
    assert [(alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0], alarm["Threshold"]) for alarm in old] == [
        ("WorkQueue", 1800),
        ("SendQueue", 60),
        ("ReportQueue", 600),
    ]


def test_budget_exists_only_with_its_setting_and_notifies_the_alarm_address(
    resources: Resources, proxy_template: Template
) -> None:
    assert of_type(resources, "AWS::Budgets::Budget") == {}
    (budget,) = of_type(proxy_template["Resources"], "AWS::Budgets::Budget").values()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    notified = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"], subscriber["Address"])
        for one in budget["NotificationsWithSubscribers"]
        for subscriber in one["Subscribers"]
    }
    assert notified == {
        ("ACTUAL", 80, "alarms@example.com"),
        ("FORECASTED", 100, "alarms@example.com"),
    }


def test_housekeeping_is_scheduled_and_its_failures_raise_an_alarm(resources: Resources) -> None:
    rules = of_type(resources, "AWS::Events::Rule").values()
    scheduled = {
        rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]: (rule["State"], rule["ScheduleExpression"])
        for rule in rules
    }
    assert scheduled == {
        "ExpireLambdaFunction": ("ENABLED", "rate(1 hour)"),
        "RestartTasksLambdaFunction": ("ENABLED", "rate(5 minutes)"),
        "DispatchWebhooksLambdaFunction": ("ENABLED", "rate(1 minute)"),
        "AuditLambdaFunction": ("ENABLED", "cron(17 3 * * ? *)"),
    }
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    watched = {
        json.dumps(alarm["Dimensions"][0]["Value"]) for alarm in alarms if alarm.get("MetricName") == "Errors"
    }
    assert watched == {json.dumps({"Ref": name}) for name in (*scheduled, "SendWebhookLambdaFunction")}


def test_dashboard_body_is_valid_json(resources: Resources) -> None:
    (dashboard,) = of_type(resources, "AWS::CloudWatch::Dashboard").values()
    body = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    assert all(widget["properties"]["metrics"] for widget in body["widgets"])


def test_alarms_of_the_stack_roll_back_a_deploy(make_package: None) -> None:
    state = json.loads((ROOT / "build" / "templates" / "own" / "serverless-state.json").read_text("utf-8"))
    assert state["service"]["provider"]["rollbackConfiguration"] == {
        "RollbackTriggers": [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in ALARMS],
        "MonitoringTimeInMinutes": 10,
    }


def test_rollback_alarms_are_in_the_template(default_template: Template, external_template: Template) -> None:
    for template in (default_template, external_template):
        assert {template["Resources"][name]["Type"] for name in WATCHED} == {"AWS::CloudWatch::Alarm"}


def test_every_bucket_rejects_requests_without_tls(resources: Resources) -> None:
    denied = {
        json.dumps(policy["Bucket"])
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(statement["Condition"])
    }
    assert denied == {json.dumps({"Ref": name}) for name in of_type(resources, "AWS::S3::Bucket")}


def test_every_function_has_its_memory_timeout_and_tracing(resources: Resources) -> None:
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        kind = name.removesuffix("LambdaFunction")
        assert function["MemorySize"] == MEGABYTES.get(kind, 512), name
        assert function["Timeout"] <= SECONDS.get(kind, 15), name
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
    retention = {group["RetentionInDays"] for group in of_type(resources, "AWS::Logs::LogGroup").values()}
    assert retention == {30}


def test_api_throttles_and_logs(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"routeKey", "status", "latency", "integrationErrorMessage"} <= set(logged)


def test_queues_are_encrypted(resources: Resources) -> None:
    queues = of_type(resources, "AWS::SQS::Queue").values()
    assert [queue["SqsManagedSseEnabled"] for queue in queues] == [True] * 6
