"""Test the service against its OpenAPI document by schemathesis: `python -m tests.fuzz.run --seed 7`.

An anonymous caller, a client and an admin send the requests that schemathesis generates, in parallel: the
document's examples, values at and beyond the limits of each field, random inputs, and sequences in which a
request uses an earlier response. A response fails if it is a server error, if its status, media type or
headers are not documented, or if its body does not match the schema.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.environment import ROOT
from localstack.stack import Stack
from localstack.stack_settings import Settings
from tests.support.data_folder import data_folder

ROLES = ("anonymous", "client", "admin")
QUICK = ("examples", "fuzzing", "stateful")
THOROUGH = (*QUICK, "coverage")
CONFIGURATION = ROOT / "tests" / "fuzz" / "schemathesis.toml"


@dataclass(frozen=True)
class Outcome:
    """The result of one role's run."""

    role: str
    cases: int
    passed: bool
    output: str
    """The output of schemathesis."""


@contextmanager
def service() -> Iterator[Stack]:
    """Run a separate stack, because the random requests of an admin change everything."""
    with (
        data_folder() as folder,
        Stack(Settings(port=0, edge_port=0, data_dir=folder, batch_retry=1)) as stack,
    ):
        yield stack


def fuzz(stack: Stack, seed: int, examples: int, phases: Sequence[str]) -> list[Outcome]:
    """Send requests as every role in parallel.

    Args:
        examples: the number of random requests per route, and of sequences.
    """
    with TemporaryDirectory() as folder:
        running = {role: _start(stack, Path(folder), role, seed, examples, phases) for role in ROLES}
        output = {role: process.communicate()[0] for role, process in running.items()}
        return [
            Outcome(role, _cases(Path(folder) / f"{role}.json"), process.returncode == 0, output[role])
            for role, process in running.items()
        ]


def audit(stack: Stack) -> str:
    """Return the output of `make audit`, or "" if all balances match their ledger."""
    environment = {**os.environ, **stack.environment}
    command = [sys.executable, "-m", "shared.billing.audit"]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr if result.returncode else ""


def _start(
    stack: Stack, folder: Path, role: str, seed: int, examples: int, phases: Sequence[str]
) -> "subprocess.Popen[str]":
    """Start schemathesis in the folder, where it writes files."""
    options = {
        "seed": seed,
        "max-examples": examples,
        "phases": ",".join(phases),
        "report-json-path": folder / f"{role}.json",
    }
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run"]
    command += [f"{stack.url}/openapi.json", *(f"--{name}={value}" for name, value in options.items())]
    output = {"FUZZ_ROLE": role, "SCHEMATHESIS_HOOKS": "tests.fuzz.callers", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        env={**os.environ, **stack.environment, **output},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _cases(report: Path) -> int:
    """Return the number of sent requests, or 0 if schemathesis did not finish."""
    return int(json.loads(report.read_text())["test_cases"]["generated"]) if report.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="random requests per route and role")
    parser.add_argument("--min-cases", type=int, default=20_000, help="the required number of cases")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    began = time.monotonic()
    with service() as stack:
        outcomes = fuzz(stack, arguments.seed, arguments.examples, THOROUGH)
        off = audit(stack)
    for outcome in outcomes:
        print(f"  {outcome.role:8} {outcome.cases:6} cases: {'passed' if outcome.passed else outcome.output}")
    cases = sum(outcome.cases for outcome in outcomes)
    print(f"{cases} cases in {time.monotonic() - began:.0f} s; {off or 'all balances are right'}")
    if off or cases < arguments.min_cases or not all(outcome.passed for outcome in outcomes):
        sys.exit(f"Repeat the run with SEED={arguments.seed}.")


if __name__ == "__main__":
    main()
