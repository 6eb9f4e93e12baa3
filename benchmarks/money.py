"""Convert measured times to costs on Lambda (arm64, us-east-1, https://aws.amazon.com/lambda/pricing).

The conversion assumes that Lambda's processors are as fast as those of the measuring machine.
"""

from benchmarks.report import figure

GB_SECOND = 0.0000133334
"""Dollars per GB-second."""
FUNCTION, PASSWORDS, WORKER = 512, 1769, 1024
"""MB of a function, of one that hashes or verifies a password, and of the worker, as in serverless.yml."""

SNAPSHOT_KEPT, SNAPSHOT_RESTORED = 0.0000015046, 0.0001397998
"""SnapStart's dollars: a GB-second of a cached snapshot, and a GB restored."""
MONTH_SECONDS = 30 * 86_400


def processors(memory: int) -> float:
    """Return the processors of a function with `memory` MB: 1,769 MB come with one.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    """
    return memory / 1769


def billed(computing: float, waiting: float = 0, memory: int = FUNCTION) -> float:
    """Return the duration of a function from its time on a whole processor and its waiting, in one unit."""
    return computing / processors(memory) + waiting


def million(milliseconds: float, memory: int = FUNCTION) -> float:
    """Return the dollars of a million calls that take `milliseconds` each."""
    return milliseconds * 1000 * memory / 1024 * GB_SECOND


def dollars(milliseconds: float, memory: int = FUNCTION) -> str:
    """Return `million` as text."""
    return f"${million(milliseconds, memory):,.2f}"


def of_calls(calls: str, computing: float, waiting: float = 0, memory: int = FUNCTION) -> str:
    """Return a sentence with the cost of a million of these calls, from the milliseconds of one."""
    time = billed(computing, waiting, memory)
    waited = f", {figure(waiting)} ms of waiting" if waiting else ""
    return (
        f"a million {calls} cost {dollars(time, memory)}; each takes {figure(time)} ms of a function with"
        f" {memory:,} MB and {processors(memory):.2f} of a processor ({figure(computing)} ms of a whole"
        f" processor{waited})"
    )
