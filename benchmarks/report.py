"""Write benchmarks' tables: as JSON, and as Markdown into docs/results/performance-tables.md.

A benchmark measures all its rows in each round, so that a machine that slows down slows all of them alike,
and calls `write("its name", rows, …)`. Its place on the page is between `<!-- its name -->` and `<!-- / -->`.
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
PLOT = PAGE.with_name("load.svg")
WRITTEN = tuple(f":(exclude){path.relative_to(ROOT)}" for path in (RESULTS, PAGE, PLOT))
"""The files that benchmarks write, as pathspecs that git leaves out."""

LIBRARIES = ("aws-lambda-powertools", "pydantic", "pyjwt", "pg8000", "sqlalchemy", "argon2-cffi", "boto3")
DATABASE_SETTINGS = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")


@dataclass(frozen=True)
class Row:
    """One thing measured.

    Args:
        what: its name in the table.
        unit: of its samples, as `ms` or `rows/s`.
        samples: one a round; rows that are compared have the same rounds.
        limit: the name of the row that it is measured beside.
        aim: of the ratio to that row, as `≤ 1.15`.
    """

    what: str
    unit: str
    samples: Sequence[float]
    limit: str = ""
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

    def ratio(self, limit: "Row") -> float:
        """The median of the rounds' ratios, which a machine that is slow for a while does not move."""
        return statistics.median(own / its for own, its in zip(self.samples, limit.samples, strict=True))


def write(
    benchmark: str,
    rows: Sequence[Row],
    *,
    command: str,
    notes: Sequence[str] = (),
    database: pg8000.native.Connection | None = None,
    table: str = "",
) -> None:
    """Put a benchmark's rows in the place of its earlier ones, and print them.

    Args:
        command: what makes them again.
        notes: sentences under the table.
        database: the server that took part, to tell its version and settings.
        table: in Markdown, in place of a line for each row.

    Raises:
        ValueError: the page has no place for it.
    """
    limits = {row.what: row for row in rows}
    told: dict[str, Any] = {
        "command": command,
        "environment": environment(database),
        "rows": [_as_json(row, limits.get(row.limit)) for row in rows],
        "notes": list(notes),
    }
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**results, benchmark: told}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    text = markdown(told, table)
    place = re.compile(rf"(<!-- {benchmark} -->\n).*?(?=<!-- / -->)", re.DOTALL)
    page, places = place.subn(lambda found: found[1] + text, PAGE.read_text("utf-8"))
    if places != 1:
        raise ValueError(f"{PAGE.name} needs one place for {benchmark}, and has {places}")
    PAGE.write_text(page, "utf-8")
    print(text)


def markdown(told: dict[str, Any], table: str = "") -> str:
    """A benchmark's table, and what it was measured with."""
    made = "; ".join(f"{name} {value}" for name, value in told["environment"].items())
    parts = [table or _lines(told["rows"]), *told["notes"], f"`{told['command']}`; {made}."]
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each row."""
    lines = [
        "| what | median | middle half | ratio | aim | rounds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        low, high = row["middle_half"]
        ratio = f"{row['ratio']:.2f} of {row['limit']}" if row["limit"] else ""
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
    """What the figures depend on: machine, versions, the database's settings."""
    made = {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    if database is not None:
        settings = [f"{name} {database.run(f'SHOW {name}')[0][0]}" for name in DATABASE_SETTINGS]
        made["Postgres"] = ", ".join(settings)
    return made


def _as_json(row: Row, limit: Row | None) -> dict[str, Any]:
    return {
        "what": row.what,
        "unit": row.unit,
        "median": row.median,
        "middle_half": row.middle_half,
        "rounds": len(row.samples),
        "limit": row.limit,
        "ratio": row.ratio(limit) if limit else None,
        "aim": row.aim,
    }


def figure(number: float) -> str:
    """Three digits that count; whole numbers from 100."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _processor() -> str:
    """The processor's name, where Linux tells it."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", told.read_text()) if told.exists() else None
    return found[1] if found else platform.machine()


def _commit() -> str:
    """The commit that was measured; "+" when files differ from it, but for what the benchmarks write."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout

    changed = git("diff", "--name-only", "HEAD", "--", ".", *WRITTEN)
    return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed else "")
