"""Look up known vulnerabilities of every pinned package: `python -m deploy.vulnerabilities`.

Runs pip-audit for Python's packages and npm audit for the deploy's tools and the console. The exit status is
0 without known vulnerabilities, 2 with any, and 1 if a vulnerability database is unreachable and packages
were not checked.
"""

import json
import subprocess
import sys
from enum import IntEnum

from deploy.environment import ROOT

PINS = ("requirements.txt", "requirements-dev.txt", "requirements-lint.txt", "requirements-localstack.txt")
PIP_AUDIT = "pip-audit@2.10.1"
TIMEOUT_SECONDS = 300
"""Time limit of one audit."""


class Verdict(IntEnum):
    """The result of an audit; its value is the exit status."""

    CLEAN = 0
    UNKNOWN = 1
    VULNERABLE = 2


def main() -> int:
    python = [
        "uv",
        "tool",
        "run",
        PIP_AUDIT,
        "--strict",
        "--no-deps",
        "--disable-pip",
        "--format=json",
        "-sosv",
    ]
    audits = {
        **{pins: ([sys.executable, "-m", *python, "-r", pins], judge_pip_audit) for pins in PINS},
        "package-lock.json": (["npm", "audit", "--json"], judge_npm_audit),
        "console/package-lock.json": (["npm", "--prefix", "console", "audit", "--json"], judge_npm_audit),
    }
    verdicts = list[Verdict]()
    for name, (command, judge) in audits.items():
        completed = run(command)
        verdict = judge(completed.stdout)
        print(f"{name}: {verdict.name.lower()}")
        if verdict is not Verdict.CLEAN:
            vulnerable = verdict is Verdict.VULNERABLE
            output = (completed.stdout if vulnerable else completed.stderr or completed.stdout).strip()
            print(output if vulnerable or not output else output.splitlines()[-1])
        verdicts.append(verdict)
    if Verdict.UNKNOWN in verdicts:
        print("A vulnerability database was unreachable, so the packages marked unknown were not checked.")
    return max(verdicts)


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"timed out after {TIMEOUT_SECONDS} s")


def judge_pip_audit(report: str) -> Verdict:
    """Return the verdict of pip-audit's JSON. pip-audit writes none if a lookup fails."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict.UNKNOWN
    if any(package.get("vulns") for package in packages):
        return Verdict.VULNERABLE
    return Verdict.UNKNOWN if any("skip_reason" in package for package in packages) else Verdict.CLEAN


def judge_npm_audit(report: str) -> Verdict:
    """Return the verdict of npm's JSON. If a lookup fails, npm writes an error instead of the counts."""
    try:
        found = json.loads(report)["metadata"]["vulnerabilities"]["total"]
    except (ValueError, KeyError, TypeError):
        return Verdict.UNKNOWN
    return Verdict.VULNERABLE if found else Verdict.CLEAN


if __name__ == "__main__":
    sys.exit(main())
