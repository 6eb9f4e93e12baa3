"""What a measured time costs on Lambda (arm64, us-east-1, https://aws.amazon.com/lambda/pricing).

A processor is one of the machine that measured; Lambda's own was not.
"""

from benchmarks.report import figure

GB_SECOND = 0.0000133334
"""Dollars."""
FUNCTION, PASSWORDS, WORKER = 512, 1769, 1024
"""MB of a function, of one that hashes or verifies a password, and of the worker, as in serverless.yml."""

SNAPSHOT_KEPT, SNAPSHOT_RESTORED = 0.0000015046, 0.0001397998
"""SnapStart's dollars: a GB-second of a cached snapshot, and a GB restored."""
MONTH = 30 * 86_400


def processors(memory: int) -> float:
    """That so many MB come with: one with 1,769.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    """
    return memory / 1769


def billed(computing: float, waiting: float = 0, memory: int = FUNCTION) -> float:
    """The time that a function takes for so much of a processor's, and as much of waiting as here."""
    return computing / processors(memory) + waiting


def million(milliseconds: float, memory: int = FUNCTION) -> float:
    """Dollars of a million times so long."""
    return milliseconds * 1000 * memory / 1024 * GB_SECOND


def dollars(milliseconds: float, memory: int = FUNCTION) -> str:
    """As `million`, to be read."""
    return f"${million(milliseconds, memory):,.2f}"


def of_calls(calls: str, computing: float, waiting: float = 0, memory: int = FUNCTION) -> str:
    """Return the sentence about the price of a million of these calls, from the milliseconds of one."""
    time = billed(computing, waiting, memory)
    waited = f" and {figure(waiting)} ms of waiting" if waiting else ""
    return (
        f"a million {calls} cost {dollars(time, memory)}: {figure(computing)} ms of a processor, of which"
        f" {memory:,} MB have {processors(memory):.2f},{waited} are {figure(time)} ms of a function"
    )
