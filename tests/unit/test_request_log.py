"""The log line of a request has the fields of Powertools' Logger."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from shared.http import request_log
from shared.http.api import Api
from shared.http.responses import done
from tests.support.lambda_event import event

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


# Once, because the loggers of one service share the stream of the first.
STREAM = StringIO()
LOGGER = Logger(service="comparison", stream=STREAM)


def line_of_powertools() -> str:
    STREAM.truncate(STREAM.seek(0))
    LOGGER.set_correlation_id("request-7")
    LOGGER.info("response", route="GET /", status=200, ms=1.2)
    return STREAM.getvalue()


def written(capsys: pytest.CaptureFixture[str]) -> str:
    request_log.write("request-7", "GET /", 200, 1.2345)
    return capsys.readouterr().out


def parsed(line: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(line)
    return document


@pytest.mark.parametrize("trace", [TRACE, None], ids=["traced", "not traced"])
def test_line_has_the_fields_that_powertools_writes(
    trace: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if trace:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    expected, actual = parsed(line_of_powertools()), parsed(written(capsys))
    times = [
        datetime.strptime(line.pop("timestamp"), "%Y-%m-%d %H:%M:%S,%f%z") for line in (expected, actual)
    ]
    assert timedelta(0) <= times[1] - times[0] < timedelta(minutes=1)
    assert expected.pop("location").startswith("line_of_powertools:")
    assert actual.pop("location") == "shared.http.request_log"
    assert actual == {**expected, "service": "restcalculator"}


def test_line_is_compact_json_like_that_of_powertools(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(capsys)
    assert line == json.dumps(parsed(line), separators=(",", ":")) + "\n"
    assert list(parsed(line)) == list(parsed(line_of_powertools()))


def test_each_request_writes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = Api()
    app.get("/")(lambda: done("Done."))
    app(event(), None)
    (line,) = capsys.readouterr().out.splitlines()
    expected = {"message": "response", "correlation_id": "request-7", "route": "GET /", "status": 200}
    assert parsed(line).items() >= expected.items()
