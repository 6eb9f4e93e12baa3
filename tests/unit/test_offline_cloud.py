"""Parts of the offline cloud that need no process: settings, the readable log, SQS records."""

import json
from pathlib import Path
from typing import Any

import pytest
from ministack.services import sqs

from deploy.environment import read_dotenv
from localstack import ports
from localstack.cloud import Cloud, queue_url
from localstack.context import ACCOUNT
from localstack.data_folder import DataFolder
from localstack.emulator import merge_queues
from localstack.event_source import failed_messages, record
from localstack.execution import InvocationFailed
from localstack.log import LogFile, readable
from localstack.run import _without_password, up
from localstack.stack import Stack
from localstack.stack_settings import CannotStart, Settings
from shared.errors import SettingsError


def test_settings_come_from_the_environment_and_have_defaults() -> None:
    settings = Settings.from_environment({"PORT": "9000", "DATA_DIR": "/tmp/x", "HOST": ""})
    assert (settings.port, settings.host, settings.data_dir) == (9000, "127.0.0.1", Path("/tmp/x"))
    assert (settings.edge_port, settings.gateway_workers, settings.batch_workers) == (4566, 4, 2)
    assert settings.endpoint_url == settings.database_url == ""


def test_child_process_reads_the_same_settings_as_its_parent(tmp_path: Path) -> None:
    settings = Settings(port=1, edge_port=2, data_dir=tmp_path, database_url="postgresql://x", batch_retry=0)
    variables = settings.as_environment()
    assert Settings.from_environment(variables) == Settings(
        port=1,
        edge_port=2,
        data_dir=tmp_path,
        database_url="postgresql://x",
        batch_retry=0,
        variables=variables,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GATEWAY_WORKERS", "0"),
        ("PORT", "http"),
        ("PORT", "-1"),
        ("PORT", "70000"),
        ("PORT", "٣"),
        ("GATEWAY_WORKERS", "2.5"),
    ],
)
def test_setting_that_is_not_a_valid_number_is_rejected_with_its_name(variable: str, value: str) -> None:
    with pytest.raises(CannotStart, match=variable):
        Settings.from_environment({variable: value})


def test_dotenv_file_is_parsed_like_a_shell(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nA=1 # inline\nexport B = 'two words' # inline\nC=\"x=y#z\"\nD=\n#E=5\nF=a$b#c\r\n",
        encoding="utf-8",
    )
    assert read_dotenv(file) == {"A": "1", "B": "two words", "C": "x=y#z", "D": "", "F": "a$b#c"}
    assert read_dotenv(tmp_path / "none") == {}


def test_dotenv_file_with_a_byte_order_mark_keeps_its_first_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfPORT=9000\r\n")
    assert read_dotenv(tmp_path / ".env") == {"PORT": "9000"}


def test_dotenv_file_in_another_encoding_is_rejected_with_its_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("PORT=9000".encode("utf-16"))
    with pytest.raises(SettingsError, match=r"\.env must be UTF-8"):
        read_dotenv(tmp_path / ".env")


@pytest.mark.parametrize(
    ("key", "account"), [("test", "000000000000"), ("123456789012", "123456789012"), ("AKIA", "000000000000")]
)
def test_queue_url_has_the_account_that_the_emulator_derives_from_the_key(key: str, account: str) -> None:
    assert queue_url("http://127.0.0.1:4566/", key) == f"http://127.0.0.1:4566/{account}/opworker"


def test_log_line_of_a_function_is_formatted() -> None:
    line = {
        "level": "WARNING",
        "location": "x:1",
        "message": "refused",
        "timestamp": "2026-11-23",
        "service": "restcalculator",
        "correlation_id": "abc",
        "cost": 5,
        "who": {"id": 1},
        "exception": "Traceback …\nValueError: x",
    }
    assert (
        readable(json.dumps(line)) == 'WARNING refused cost=5 who={"id": 1} [abc]\nTraceback …\nValueError: x'
    )


def test_response_is_logged_only_by_the_gateway() -> None:
    line = {"level": "INFO", "message": "response", "route": "GET /health", "status": 200, "ms": 1.5}
    assert readable(json.dumps(line)) == ""


def test_displayed_database_url_has_no_password() -> None:
    assert _without_password("postgresql://me:s3c%40ret@db:5432/x?sslmode=disable") == (
        "postgresql://me@db:5432/x?sslmode=disable"
    )
    embedded = "postgresql://postgres@/restcalculator?host=/a%20b"
    assert _without_password(embedded) == embedded


def test_gateway_url_uses_localhost_to_be_same_site_with_the_default_frontend(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        assert Stack(Settings(host=host, data_dir=tmp_path)).url == "http://localhost:8080"


@pytest.mark.parametrize("folder", ["file/data", "file"])
def test_data_folder_that_cannot_be_created_is_rejected_with_its_name(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotStart, match=f"{folder} can't be used.*DATA_DIR"),
        DataFolder(tmp_path / folder).locked(),
    ):
        pass


def test_host_that_does_not_resolve_is_rejected_with_its_name() -> None:
    with pytest.raises(CannotStart, match=r"HOST=no\.such\.host"):
        ports.available(8080, "no.such.host", "PORT")


def test_merge_queues_keeps_all_messages_of_queues_with_the_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def queue(port: int, message: str) -> None:
        url = f"http://127.0.0.1:{port}/{ACCOUNT}/opworker"
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:opworker"
        found = {"name": "opworker", "url": url, "attributes": {"QueueArn": arn}, "messages": [message]}
        sqs._queues.set_scoped(ACCOUNT, "us-east-1", url, found)

    queue(1111, "a")
    queue(2222, "b")
    try:
        merge_queues(sqs)
        ((key, kept),) = sqs._queues.all_items()
        assert key[2] == kept["url"] == f"http://localhost:4566/{ACCOUNT}/opworker"
        assert kept["messages"] == ["a", "b"]
        assert sqs._queue_by_arn(kept["attributes"]["QueueArn"]) is kept
    finally:
        sqs.reset()


class AwsWithoutTestEvent:
    """A stub of SQS and S3 in which S3 never sends its test event."""

    def __getattr__(self, name: str) -> Any:
        return lambda **how: {
            "QueueUrl": "http://queue",
            "Buckets": [],
            "Attributes": {
                "QueueArn": "arn",
                **{f"ApproximateNumberOfMessages{kind}": "3" for kind in ("", "NotVisible", "Delayed")},
            },
        }


def test_prepare_fails_if_s3_does_not_send_to_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localstack.cloud.CONFIRMATION_SECONDS", 0.1)
    client: Any = AwsWithoutTestEvent()
    with pytest.raises(CannotStart, match="S3 does not send to the queue http://queue"):
        Cloud(client, client).prepare("http://localhost:3000")


def test_metrics_line_is_formatted() -> None:
    metrics: dict[str, Any] = {
        "_aws": {
            "CloudWatchMetrics": [
                {"Dimensions": [["operation"]], "Metrics": [{"Name": "Calls"}, {"Name": "Charged"}]}
            ]
        },
        "operation": "addition",
        "Calls": [1.0, 2.5],
        "Charged": 15,
    }
    assert readable(json.dumps(metrics)) == "metrics operation=addition Calls=1,2.5 Charged=15"


@pytest.mark.parametrize("line", ["GET / 200 3 ms", '{"no": "log"}', "{broken", "", "[1]"])
def test_other_lines_are_unchanged(line: str) -> None:
    assert readable(line) == line


def test_log_file_keeps_every_line_and_hides_quiet_ones(tmp_path: Path) -> None:
    shown: list[str] = []
    log = LogFile(tmp_path / "logs" / "x.log", shown.append)
    log.write("gateway", "100% of it {} %s")
    log.write("s3+sqs", "hidden", quiet=True)
    log.close()
    kept = (tmp_path / "logs" / "x.log").read_text().splitlines()
    assert [line[9:] for line in kept] == ["gateway  100% of it {} %s", "s3+sqs   hidden"]
    assert shown == kept[:1]


def test_signing_key_is_created_once_with_at_least_32_bytes(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path).jwt_secret_key(), DataFolder(tmp_path).jwt_secret_key()
    assert first == second
    assert len(first.encode()) >= 32


def test_environment_of_the_functions_is_published_while_the_folder_is_locked(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.locked():
        folder.publish({"BUCKET": "buckeeto"})
        assert folder.published() == {"BUCKET": "buckeeto"}
        assert (tmp_path / "environment.json").stat().st_mode & 0o777 == 0o600
    assert folder.published() is None


def test_record_converts_message_attributes_to_lambdas_names() -> None:
    message = {
        "MessageId": "1",
        "ReceiptHandle": "r",
        "Body": "b",
        "MD5OfBody": "m",
        "Attributes": {"ApproximateReceiveCount": "2"},
        "MessageAttributes": {"trace": {"StringValue": "x", "DataType": "String"}},
    }
    assert record(message, "arn:q", "us-east-1") == {
        "messageId": "1",
        "receiptHandle": "r",
        "body": "b",
        "md5OfBody": "m",
        "attributes": {"ApproximateReceiveCount": "2"},
        "messageAttributes": {
            "trace": {
                "stringValue": "x",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:q",
        "awsRegion": "us-east-1",
    }


@pytest.mark.parametrize(
    "response", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "done"]
)
def test_response_without_failures_is_a_success(response: Any) -> None:
    assert failed_messages(response, {"1", "2"}) == set()


def test_response_names_the_failed_messages_of_a_batch() -> None:
    failures = [{"itemIdentifier": "2"}]
    assert failed_messages({"batchItemFailures": failures}, {"1", "2"}) == {"2"}


@pytest.mark.parametrize(
    "failures",
    [[{"itemIdentifier": "2"}], [{"itemIdentifier": None}], [{}], ["1"], "1", 5],
)
def test_response_with_an_unknown_message_or_format_fails_the_whole_batch(failures: Any) -> None:
    with pytest.raises(InvocationFailed):
        failed_messages({"batchItemFailures": failures}, {"1"})


def test_make_up_rejects_production_settings() -> None:
    with pytest.raises(CannotStart, match="CONFIG_TYPE=production"):
        up(Settings(variables={"CONFIG_TYPE": "production"}))
