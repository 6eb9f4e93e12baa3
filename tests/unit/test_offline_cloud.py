"""The offline cloud's parts that need no process: settings, the readable log, the queue's answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from localstack.cloud import queue_url
from localstack.datafolder import DataFolder
from localstack.event_source import check_answer, record
from localstack.execution import InvocationFailed
from localstack.journal import Journal, readable
from localstack.run import up
from localstack.settings import CannotStart, Settings, read_dotenv


def test_settings_come_from_the_environment_and_have_defaults() -> None:
    settings = Settings.from_environment({"PORT": "9000", "DATA_DIR": "/tmp/x", "HOST": ""})
    assert (settings.port, settings.host, settings.data_dir) == (9000, "127.0.0.1", Path("/tmp/x"))
    assert (settings.edge_port, settings.gateway_workers, settings.batch_workers) == (4566, 4, 2)
    assert settings.endpoint_url == settings.database_url == ""


def test_a_child_reads_the_very_settings_of_its_parent(tmp_path: Path) -> None:
    settings = Settings(port=1, edge_port=2, data_dir=tmp_path, database_url="postgresql://x", batch_retry=0)
    told = settings.as_environment()
    assert Settings.from_environment(told) == Settings(
        port=1, edge_port=2, data_dir=tmp_path, database_url="postgresql://x", batch_retry=0, variables=told
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "http"), ("PORT", "-1"), ("PORT", "70000"), ("PORT", "٣"), ("GATEWAY_WORKERS", "2.5")],
)
def test_a_setting_that_is_no_number_is_named(variable: str, value: str) -> None:
    with pytest.raises(CannotStart, match=variable):
        Settings.from_environment({variable: value})


def test_a_dotenv_file_is_read_as_a_shell_would(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nA=1\nexport B = 'two words'\nC=\"x=y\"\nD=\nno line\n#E=5\n")
    assert read_dotenv(file) == {"A": "1", "B": "two words", "C": "x=y", "D": ""}
    assert read_dotenv(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("key", "account"), [("test", "000000000000"), ("123456789012", "123456789012"), ("AKIA", "000000000000")]
)
def test_the_queue_is_in_the_account_that_the_emulators_take_from_the_key(key: str, account: str) -> None:
    assert queue_url("http://127.0.0.1:4566/", key) == f"http://127.0.0.1:4566/{account}/opworker"


def test_a_log_line_of_the_functions_is_made_readable() -> None:
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


def test_metrics_are_made_readable() -> None:
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
def test_any_other_line_is_left_as_it_is(line: str) -> None:
    assert readable(line) == line


def test_every_line_is_kept_and_a_quiet_part_s_is_not_shown(tmp_path: Path) -> None:
    shown: list[str] = []
    journal = Journal(tmp_path / "logs" / "x.log", shown.append)
    journal.write("gateway", "100% of it {} %s")
    journal.write("s3+sqs", "hidden", quiet=True)
    journal.close()
    kept = (tmp_path / "logs" / "x.log").read_text().splitlines()
    assert [line[9:] for line in kept] == ["gateway  100% of it {} %s", "s3+sqs   hidden"]
    assert shown == kept[:1]


def test_the_signing_key_is_made_once_and_is_long_enough(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path).jwt_secret_key(), DataFolder(tmp_path).jwt_secret_key()
    assert first == second
    assert len(first.encode()) >= 32


def test_the_running_functions_variables_are_published_while_they_run(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.locked():
        folder.publish({"BUCKET": "buckeeto"})
        assert folder.published() == {"BUCKET": "buckeeto"}
        assert (tmp_path / "environment.json").stat().st_mode & 0o777 == 0o600
    assert folder.published() is None


def test_message_attributes_come_as_lambda_names_them() -> None:
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


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "done"])
def test_an_answer_that_names_no_failure_is_a_success(answer: Any) -> None:
    check_answer(answer, "1")


@pytest.mark.parametrize(
    "failures",
    [[{"itemIdentifier": "1"}], [{"itemIdentifier": "2"}], [{"itemIdentifier": None}], [{}], ["1"], "1", 5],
)
def test_an_answer_that_names_a_failure_or_is_not_understood_is_a_failure(failures: Any) -> None:
    with pytest.raises(InvocationFailed):
        check_answer({"batchItemFailures": failures}, "1")


def test_make_up_refuses_the_settings_of_production() -> None:
    with pytest.raises(CannotStart, match="CONFIG_TYPE=production"):
        up(Settings(variables={"CONFIG_TYPE": "production"}))
