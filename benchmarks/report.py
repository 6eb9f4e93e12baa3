"""Write a benchmark's table to benchmarks/results.json and to docs/results/performance-tables.md.

A benchmark measures all its rows in each round, so that a slow phase of the machine affects all of them, and
calls `write("NAME", rows, …)`. The table replaces the text between `<!-- NAME -->` and `<!-- / -->`.
"""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pg8000.native

from deploy.environment import ROOT

RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "results" / "performance-tables.md"
PLOT, COST_PLOT = PAGE.with_name("load.svg"), PAGE.with_name("cost.svg")
WRITTEN = tuple(f":(exclude){path.relative_to(ROOT)}" for path in (RESULTS, PAGE, PLOT, COST_PLOT))
"""The files that benchmarks write, as git pathspecs that exclude them."""

LIBRARIES = ("aws-lambda-powertools", "pydantic", "pyjwt", "pg8000", "sqlalchemy", "argon2-cffi", "boto3")
DATABASE_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")


@dataclass(frozen=True)
class Row:
    """The samples of one measurement.

    Args:
        what: the row's name in the table.
        unit: the unit of the samples, such as `ms` or `rows/s`.
        samples: one sample a round. Rows that are compared have the same rounds.
        baseline: the name of the row to compare with.
        aim: the aim for the ratio to the baseline, such as `≤ 1.15`.
    """

    what: str
    unit: str
    samples: Sequence[float]
    baseline: str = ""
    aim: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def middle_half(self) -> tuple[float, float]:
        """The quartiles: half of all samples lie between them."""
        if len(self.samples) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return low, high

    def ratio(self, baseline: "Row") -> float:
        """Return the median of the rounds' ratios: a slow phase of the machine affects both samples."""
        return statistics.median(own / its for own, its in zip(self.samples, baseline.samples, strict=True))


def write(
    benchmark: str,
    rows: Sequence[Row],
    *,
    command: str,
    notes: Sequence[str] = (),
    database: pg8000.native.Connection | None = None,
    table: str = "",
) -> None:
    """Replace a benchmark's earlier results, and print the new ones.

    Args:
        command: the command that repeats the benchmark.
        notes: sentences under the table.
        database: the benchmark's server, to report its version and settings.
        table: a Markdown table to write instead of one line for each row.

    Raises:
        ValueError: the page has no place for this benchmark, or more than one.
    """
    by_name = {row.what: row for row in rows}
    result: dict[str, Any] = {
        "command": command,
        "environment": environment(database),
        "rows": [_as_json(row, by_name.get(row.baseline)) for row in rows],
        "notes": list(notes),
    }
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(
        json.dumps({**results, benchmark: result}, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    text = markdown(result, table)
    section = re.compile(rf"(<!-- {benchmark} -->\n).*?(?=<!-- / -->)", re.DOTALL)
    page, sections = section.subn(lambda found: found[1] + text, PAGE.read_text("utf-8"))
    if sections != 1:
        raise ValueError(f"{PAGE.name} must have one place for {benchmark}, but has {sections}")
    PAGE.write_text(page, "utf-8")
    print(text)


def markdown(result: dict[str, Any], table: str = "") -> str:
    """Return a benchmark's table, notes, command and environment as Markdown."""
    measured_with = "; ".join(f"{name} {value}" for name, value in result["environment"].items())
    parts = [table or _lines(result["rows"]), *result["notes"], f"`{result['command']}`; {measured_with}."]
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table with a line for each row."""
    lines = [
        "| what | median | middle half | ratio | aim | rounds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        low, high = row["middle_half"]
        ratio = f"{row['ratio']:.2f} of {row['baseline']}" if row["baseline"] else ""
        cells = (
            row["what"],
            f"{figure(row['median'])} {row['unit']}",
            f"{figure(low)} to {figure(high)}",
            ratio,
            row["aim"],
            str(row["rounds"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def environment(database: pg8000.native.Connection | None) -> dict[str, str]:
    """Return the environment of the measurement: machine, versions, the database's settings."""
    found = {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    if database is not None:
        settings = [f"{name} {database.run(f'SHOW {name}')[0][0]}" for name in DATABASE_SETTINGS]
        found["Postgres"] = ", ".join(settings)
    return found


def _as_json(row: Row, baseline: Row | None) -> dict[str, Any]:
    return {
        "what": row.what,
        "unit": row.unit,
        "median": row.median,
        "middle_half": row.middle_half,
        "rounds": len(row.samples),
        "baseline": row.baseline,
        "ratio": row.ratio(baseline) if baseline else None,
        "aim": row.aim,
    }


def figure(number: float) -> str:
    """Return a number with three significant digits, or as a whole number from 100."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _processor() -> str:
    """Return the processor's name on Linux, elsewhere its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.machine()


def _commit() -> str:
    """Return the measured commit, with "+" if other files than the benchmarks' own results were changed."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout

    changed = git("diff", "--name-only", "HEAD", "--", ".", *WRITTEN)
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")
