"""Looks every pinned package up among the known vulnerabilities: `python -m deploy.vulnerabilities`.

pip-audit for Python's pins, npm's own audit for the tools of the deploy. Ends with 0 when nothing is known
against them, 2 when something is, and 1 when a database could not be asked, which is no good news.
"""

import json
import subprocess
import sys
from enum import IntEnum

from deploy.environment import ROOT

PINS = ("requirements.txt", "requirements-dev.txt", "requirements-lint.txt", "requirements-localstack.txt")
PIP_AUDIT = "pip-audit@2.10.1"
PATIENCE = 300
"""Seconds for one audit."""


class Verdict(IntEnum):
    """What an audit came to, and the exit status that says so."""

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
    }
    verdicts = list[Verdict]()
    for name, (command, judge) in audits.items():
        done = run(command)
        verdict = judge(done.stdout)
        print(f"{name}: {verdict.name.lower()}")
        if verdict is not Verdict.CLEAN:
            said = (done.stdout if verdict is Verdict.VULNERABLE else done.stderr or done.stdout).strip()
            print(said.splitlines()[-1] if verdict is Verdict.UNKNOWN and said else said)
        verdicts.append(verdict)
    if Verdict.UNKNOWN in verdicts:
        print("Not every pin was looked up: a database could not be reached. Nothing is proved of those.")
    return max(verdicts)


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {PATIENCE} s")


def judge_pip_audit(report: str) -> Verdict:
    """The verdict of pip-audit's JSON; it writes none when it could not look everything up."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict.UNKNOWN
    if any(package.get("vulns") for package in packages):
        return Verdict.VULNERABLE
    return Verdict.UNKNOWN if any("skip_reason" in package for package in packages) else Verdict.CLEAN


def judge_npm_audit(report: str) -> Verdict:
    """The verdict of npm's JSON; what it could not ask is an error in place of the counts."""
    try:
        found = json.loads(report)["metadata"]["vulnerabilities"]["total"]
    except (ValueError, KeyError, TypeError):
        return Verdict.UNKNOWN
    return Verdict.VULNERABLE if found else Verdict.CLEAN


if __name__ == "__main__":
    sys.exit(main())
