"""The audit of a test's database."""

import os
import subprocess
import sys

from deploy.environment import ROOT
from localstack.stack import Stack
from shared import database
from shared.database import Row


def run_audit(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run `make audit` on the stack's database."""
    environment = {**os.environ, **stack.environment}
    command = [sys.executable, "-m", "shared.billing.audit"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def mismatches() -> list[Row]:
    """Return each user whose balance or usage does not match the ledger, or whose entries are not a chain."""
    return database.run("audit", user_ids=None)
