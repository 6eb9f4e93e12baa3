"""The stack's template, as the Serverless CLI compiles it: what a deploy may rely on."""

import json
from typing import Any

import pytest

from localstack.routes import Service
from localstack.settings import ROOT

SERVICE = Service.load(ROOT / "serverless.yml", {})
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def resources(made: None) -> Resources:
    template = ROOT / ".serverless" / "cloudformation-template-update-stack.json"
    found: Resources = json.loads(template.read_text("utf-8"))["Resources"]
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
    routes = {route["RouteKey"] for route in of_type(resources, "AWS::ApiGatewayV2::Route").values()}
    assert handlers == {function.handler for function in SERVICE.functions.values()}
    assert routes == {route.key for route in SERVICE.routes}


def test_a_message_stays_hidden_for_six_times_what_the_worker_may_take(resources: Resources) -> None:
    queue = resources["WorkQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * SERVICE.functions["worker"].timeout
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_the_worker_takes_one_message_at_a_time_and_reports_what_failed(resources: Resources) -> None:
    (mapping,) = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["WorkQueue", "Arn"]}
    assert mapping["BatchSize"] == 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


def test_uploads_and_nothing_else_are_told_to_the_queue(resources: Resources) -> None:
    (told,) = resources["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert told["Queue"] == {"Fn::GetAtt": ["WorkQueue", "Arn"]}
    assert told["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "uploads/"}]


def test_the_bucket_is_private_and_encrypted(resources: Resources) -> None:
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]


def test_nobody_may_do_anything_to_everything(resources: Resources) -> None:
    wide = [statement for statement in statements(resources) if statement["Resource"] in ("*", ["*"])]
    assert [statement["Action"] for statement in wide] == [
        ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]  # which have no narrower one
    ]
    assert not [one for one in statements(resources) if "*" in str(one["Action"])]


def test_a_function_that_needs_only_the_database_may_reach_nothing_else(resources: Resources) -> None:
    assert "Policies" not in resources["DatabaseRole"]["Properties"]
    roles = {
        function["Handler"]: function["Role"]["Fn::GetAtt"][0]
        for function in of_type(resources, "AWS::Lambda::Function").values()
    }
    assert {handler: role for handler, role in roles.items() if role != "DatabaseRole"} == {
        "functions/tasks/process_csv.app": "UploadRole",
        "functions/tasks/create.app": "UploadRole",
        "functions/tasks/results.app": "ResultsRole",
        "functions/tasks/resume.app": "ResumeRole",
        "worker/handler.handler": "WorkerRole",
    }


def test_the_database_is_the_stacks_own_private_encrypted_and_speaks_tls(resources: Resources) -> None:
    (database,) = of_type(resources, "AWS::RDS::DBInstance").values()
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert resources["DatabaseParameters"]["Properties"]["Parameters"] == {"rds.force_ssl": "1"}


def test_the_dead_letter_queue_and_all_that_hurts_users_raise_an_alarm(resources: Resources) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms}
    assert watched == {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/ApiGateway", "Latency"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/RDS", "FreeStorageSpace"),
    }
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms} == {'[{"Ref": "Alarms"}]'}
    (dead,) = (alarm for alarm in alarms if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible")
    assert dead["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
    assert dead["Threshold"] == 0


def test_the_dashboard_is_json_once_its_names_are_filled_in(resources: Resources) -> None:
    (dashboard,) = of_type(resources, "AWS::CloudWatch::Dashboard").values()
    body = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    assert all(widget["properties"]["metrics"] for widget in body["widgets"])


def test_every_bucket_refuses_what_comes_without_tls(resources: Resources) -> None:
    denied = {
        json.dumps(policy["Bucket"])
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(statement["Condition"])
    }
    assert denied == {json.dumps({"Ref": name}) for name in of_type(resources, "AWS::S3::Bucket")}


def test_every_function_keeps_within_its_budget_and_is_traced(resources: Resources) -> None:
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        worker, migrate = name.startswith("Worker"), name.startswith("Migrate")
        assert function["MemorySize"] <= (1024 if worker else 512), name
        assert function["Timeout"] <= (900 if worker else 300 if migrate else 15), name
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
    retention = {group["RetentionInDays"] for group in of_type(resources, "AWS::Logs::LogGroup").values()}
    assert retention == {30}


def test_the_api_throttles_and_logs(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert stage["AccessLogSettings"]["DestinationArn"]


def test_the_queues_are_encrypted(resources: Resources) -> None:
    queues = of_type(resources, "AWS::SQS::Queue").values()
    assert [queue["SqsManagedSseEnabled"] for queue in queues] == [True, True]
