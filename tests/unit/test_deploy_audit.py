"""`python -m deploy.audit` calls the migrate function until the audit is finished."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import audit
from deploy.release import MigrationFailed
from shared.billing.audit import PASSED, PASSED_WITHOUT_USAGE

UNFINISHED = {"finished": False, "progress": "Verified the ledger up to entry 1 of 2.", "findings": []}


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The results of the function's calls, in order. An exception is raised."""
    made = list[Any]()
    calls: Iterator[Any] = iter(made)

    def invoke(client: Any, function: str, event: dict[str, Any]) -> str:
        assert (function, event) == ("restcalculator-test-migrate", {"audit": True})
        result = next(calls)
        if isinstance(result, Exception):
            raise result
        return json.dumps(result)

    monkeypatch.setattr(audit, "load_environment", lambda: {"STAGE": "test"})
    monkeypatch.setattr(audit, "aws_session", lambda environment: None)
    monkeypatch.setattr(audit, "lambda_client", lambda session: None)
    monkeypatch.setattr(audit, "SERVICE", "restcalculator")
    monkeypatch.setattr(audit, "invoke", invoke)
    return made


def test_audit_continues_until_it_is_finished(results: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    results += [UNFINISHED, UNFINISHED, {"finished": True, "progress": "", "findings": []}]
    assert audit.main() == 0
    output = capsys.readouterr()
    assert output.out == f"{PASSED}\n"
    assert output.err == f"{UNFINISHED['progress']}\n" * 2


def test_audit_during_a_backfill_does_not_say_that_usage_matches(
    results: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    results.append({"finished": True, "progress": "", "findings": [], "usage_counted": False})
    assert audit.main() == 0
    assert capsys.readouterr().out == f"{PASSED_WITHOUT_USAGE}\n"


def test_findings_are_printed(results: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    results += [UNFINISHED, {"finished": True, "progress": "", "findings": ["MISMATCH x"]}]
    assert audit.main() == 1
    assert capsys.readouterr().out.startswith("MISMATCH x\n")


def test_older_version_finishes_in_one_call(results: list[Any]) -> None:
    results += [{"findings": []}]
    assert audit.main() == 0


@pytest.mark.parametrize("last", [MigrationFailed("The database is down."), {"revision": "0001"}])
def test_failed_call_ends_the_audit(
    results: list[Any], last: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    results += [UNFINISHED, last]
    assert audit.main() == 2
    assert "The audit failed: " in capsys.readouterr().err
