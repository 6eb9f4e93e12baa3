"""Generate the synchronous client from the asynchronous one: `python -m client.make_sync`."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "restcalc"
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


def generated() -> dict[Path, str]:
    """Return the files of the synchronous client and their contents."""
    sources = (file for file in (PACKAGE / "_async").glob("*.py") if file.name not in WRITTEN_BY_HAND)
    return {PACKAGE / "_sync" / source.name: _converted(source) for source in sources}


def _converted(source: Path) -> str:
    text = source.read_text("utf-8")
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text)
    name = f"client/restcalc/_sync/{source.name}"
    fixed = _ruff("check", "--fix-only", "--unsafe-fixes", "--select=I,UP028", name=name, text=text)
    return _ruff("format", name=name, text=fixed)


def _ruff(*arguments: str, name: str, text: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, "--quiet", "--stdin-filename", name, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    for file, content in generated().items():
        file.write_text(content, "utf-8")
