"""Count the instructions of a process with valgrind. The counts hardly depend on other processes."""

import re
import shutil
from pathlib import Path

INSTALLED = bool(shutil.which("valgrind"))


def count(log: Path) -> tuple[str, ...]:
    """Return the start of a command whose process counts its instructions and writes them to `log`."""
    return (
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
        f"--log-file={log}",
    )


def counted(log: Path) -> int:
    """Return the instructions of a process that has ended."""
    found = re.search(r"I\s+refs:\s+([\d,]+)", log.read_text())
    assert found, log.read_text()
    return int(found[1].replace(",", ""))
