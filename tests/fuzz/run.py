"""The served OpenAPI document against the service, by schemathesis: `python -m tests.fuzz.run --seed 7`.

An anonymous caller, a client and an admin send the requests that schemathesis generates, in parallel:
its examples, what lies at and beyond the bounds of each field, random inputs, and sequences that follow
from one answer to the next request. No answer may be a server's error, have a status, media type or
header that the document does not tell of, or a body that its schema does not allow.
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

ROLES = ("anonymous", "client", "admin")
QUICK = ("examples", "fuzzing", "stateful")
THOROUGH = (*QUICK, "coverage")
CONFIGURATION = ROOT / "tests" / "fuzz" / "schemathesis.toml"


@dataclass(frozen=True)
class Outcome:
    """What came of one role's run."""

    role: str
    cases: int
    good: bool
    told: str
    """All that schemathesis printed."""


@contextmanager
def service() -> Iterator[Stack]:
    """A stack of its own: an admin's random requests leave nothing as it was."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Stack(Settings(port=0, edge_port=0, data_dir=Path(folder), batch_retry=1)) as stack,
    ):
        yield stack


def fuzz(stack: Stack, seed: int, examples: int, phases: Sequence[str]) -> list[Outcome]:
    """Ask as each role, side by side.

    Args:
        examples: random requests per route, and sequences.
    """
    with TemporaryDirectory() as folder:
        running = {role: _start(stack, Path(folder), role, seed, examples, phases) for role in ROLES}
        told = {role: process.communicate()[0] for role, process in running.items()}
        return [
            Outcome(role, _cases(Path(folder) / f"{role}.json"), process.returncode == 0, told[role])
            for role, process in running.items()
        ]


def audit(stack: Stack) -> str:
    """The output of `make audit` about balances that differ from their ledger; "" if there are none."""
    environment = {**os.environ, **stack.environment}
    command = [sys.executable, "-m", "shared.billing.audit"]
    made = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    return made.stdout + made.stderr if made.returncode else ""


def _start(
    stack: Stack, folder: Path, role: str, seed: int, examples: int, phases: Sequence[str]
) -> "subprocess.Popen[str]":
    """schemathesis, with the folder as its working folder: it leaves files there."""
    options = {
        "seed": seed,
        "max-examples": examples,
        "phases": ",".join(phases),
        "report-json-path": folder / f"{role}.json",
    }
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run"]
    command += [f"{stack.url}/openapi.json", *(f"--{name}={value}" for name, value in options.items())]
    told = {"FUZZ_ROLE": role, "SCHEMATHESIS_HOOKS": "tests.fuzz.callers", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        env={**os.environ, **stack.environment, **told},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _cases(report: Path) -> int:
    """Requests that were made; none when schemathesis did not come to its end."""
    return int(json.loads(report.read_text())["test_cases"]["generated"]) if report.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="random requests per route and role")
    parser.add_argument("--least", type=int, default=20_000, help="cases that there must be")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    began = time.monotonic()
    with service() as stack:
        outcomes = fuzz(stack, arguments.seed, arguments.examples, THOROUGH)
        off = audit(stack)
    for outcome in outcomes:
        print(f"  {outcome.role:8} {outcome.cases:6} cases: {'good' if outcome.good else outcome.told}")
    cases = sum(outcome.cases for outcome in outcomes)
    print(f"{cases} cases in {time.monotonic() - began:.0f} s; {off or 'the books balance'}")
    if off or cases < arguments.least or not all(outcome.good for outcome in outcomes):
        sys.exit(f"repeat with SEED={arguments.seed}")


if __name__ == "__main__":
    main()
