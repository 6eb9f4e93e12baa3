"""Generate the synchronous client from the asynchronous one: `python -m client.make_sync`."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "restcalc"
CONFIG = str(PACKAGE.parents[1] / "pyproject.toml")
WRITTEN_BY_HAND = {"__init__.py", "runtime.py"}
REPLACEMENTS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[([^\[\]]+|[^\[\]]+\[[^\[\]]+\])\]", r"\1"),
    (r"\bAwaitable, ", ""),
    (r"\bAsync(Client|Rows|Iterator)\b", r"\1"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"__a(enter|exit|iter)__", r"__\1__"),
    (r"\ba(close|read|iter_raw)\(", r"\1("),
    (r"\b_async\b", "_sync"),
)
"""Regular expressions and what replaces them."""


def generate(folder: Path) -> None:
    """Write the synchronous client into a folder."""
    for source in (PACKAGE / "_async").glob("*.py"):
        if source.name not in WRITTEN_BY_HAND:
            (folder / source.name).write_text(_converted(source.read_text("utf-8")), "utf-8")
    _ruff("check", "--fix-only", "--unsafe-fixes", "--select=I,UP028", folder=folder)
    _ruff("format", folder=folder)


def _converted(text: str) -> str:
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    return text


def _ruff(*arguments: str, folder: Path) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--quiet", "--config", CONFIG, str(folder)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    generate(PACKAGE / "_sync")
