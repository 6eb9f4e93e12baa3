"""What an audit of the pins came to: silence of a database is no good news."""

import pytest

from deploy.environment import ROOT
from deploy.vulnerabilities import PINS, Verdict, judge_npm_audit, judge_pip_audit


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}', Verdict.CLEAN),
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X"}]}]}', Verdict.VULNERABLE),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
        ("{}", Verdict.UNKNOWN),
    ],
)
def test_pip_audits_report_is_understood(report: str, verdict: Verdict) -> None:
    assert judge_pip_audit(report) is verdict


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        ('{"metadata": {"vulnerabilities": {"total": 0}}}', Verdict.CLEAN),
        ('{"metadata": {"vulnerabilities": {"total": 2}}}', Verdict.VULNERABLE),
        ('{"error": {"code": "ENOAUDIT"}}', Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_npms_report_is_understood(report: str, verdict: Verdict) -> None:
    assert judge_npm_audit(report) is verdict


def test_every_file_of_pins_is_looked_up() -> None:
    assert set(PINS) == {path.name for path in ROOT.glob("requirements*.txt")}
