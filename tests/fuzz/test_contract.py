"""The contract, fuzzed for some seconds; `make fuzz` takes its time."""

import os
import subprocess
import sys

from localstack.settings import ROOT
from tests.fuzz.contract import QUICK, ROLES, fuzz, service

SEED = 1
EXAMPLES = 4
LEAST_CASES = 100


def test_every_answer_to_nobody_a_client_and_an_admin_is_as_the_document_says() -> None:
    with service() as stack:
        outcomes = fuzz(stack, SEED, EXAMPLES, QUICK)
        audit = subprocess.run(
            [sys.executable, "-m", "shared.audit"],
            env={**os.environ, **stack.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert [outcome.role for outcome in outcomes] == list(ROLES)
    for outcome in outcomes:
        assert outcome.good, outcome.told
        assert outcome.cases > LEAST_CASES, outcome.told
    assert audit.returncode == 0, audit.stdout
