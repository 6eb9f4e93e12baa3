"""`make audit` on the database of a test."""

import os
import subprocess
import sys

from deploy.environment import ROOT
from localstack.stack import Stack


def run_audit(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run `make audit` on the stack's database."""
    environment = {**os.environ, **stack.environment}
    command = [sys.executable, "-m", "shared.billing.audit"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
