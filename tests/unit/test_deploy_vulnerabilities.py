"""Verdicts on the reports of pip-audit and npm audit. An empty report is not a clean one."""

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
def test_judge_pip_audit_returns_the_verdict_of_a_report(report: str, verdict: Verdict) -> None:
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
def test_judge_npm_audit_returns_the_verdict_of_a_report(report: str, verdict: Verdict) -> None:
    assert judge_npm_audit(report) is verdict


def test_audit_covers_every_requirements_file() -> None:
    assert set(PINS) == {path.name for path in ROOT.glob("requirements*.txt")}
