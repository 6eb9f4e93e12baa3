"""Latency over offered load, up to more than the local stack can answer, and what is busy meanwhile.

A closed loop first says how much the stack answers; then calls are offered at shares of that, in an open
loop (`benchmarks.open_loop`): charges, pages of records, and both. Generator, gateway, Postgres and
whatever else runs share one machine, so it tells where a queue begins and what saturates first, not what
a cloud's parts would answer.
"""

import json
import os
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import pygal
from pygal.style import CleanStyle

from benchmarks import money
from benchmarks.busy import Busy, Watch
from benchmarks.charge import PEOPLE
from benchmarks.embedded_postgres import connect
from benchmarks.open_loop import Answers, Call, offer, wait_for_each
from benchmarks.report import PLOT, Row, figure, write
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.auth import tokens
from shared.settings import settings

PEOPLE_COUNT, RECORDS_EACH = 500, 200
AT_ONCE = 8
"""Callers of the closed loop: twice the gateway's processes, so that none waits for a call."""
WARM_UP = 2.0
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.2)
"""Of what the closed loop was answered."""
KINDS = ("charge", "page", "both")
COLUMNS = {
    "answered": "/s", "p50": "ms", "p90": "ms", "p99": "ms", "max": "ms", "gateway": "processors",
    "Postgres": "processors", "generator": "processors", "rest": "processors", "idle": "processors",
    "backends": "at once",
}  # fmt: skip
"""The columns of the table and their units."""
PLOTTED = {"p50": {"width": 2}, "p99": {"width": 2, "dasharray": "5, 5"}}
"""How each percentile's line is drawn."""

RECORDS = """
INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date)
SELECT uuidv7(), users.id, operations.id, '[1.5, 2]', '3.5', 5, 1e12, now() - n * interval '1 minute'
FROM users, operations, generate_series(1, {each}) n
WHERE users.email LIKE '%@bench.example' AND operations.type = 'addition'"""

NOTES = (
    "A charge is `POST /process_operation`, a page `GET /records?page_size=10`, each by any of"
    f" {PEOPLE_COUNT} people with {RECORDS_EACH} records or more; both means as many of the one as of"
    " the other.",
    "Offered: a second, and as a share of what a closed loop is answered. p50 to max: ms from when a call was"
    " due, at random times, until its answer was read. Gateway to rest: processors taken, on average; the"
    " rest is the stack's logs, its S3 and SQS, the system, and whatever else ran. Backends: those of"
    " Postgres at work at once. Each figure is the median of the rounds, max the greatest.",
)


class Step:
    """One kind of call at one load: its figures, round by round."""

    def __init__(self, kind: str, share: float, rate: float) -> None:
        self.kind, self.share, self.rate = kind, share, rate
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.waits: Counter[str] = Counter()

    def add(self, answers: Answers, busy: Busy) -> None:
        percentiles = statistics.quantiles(answers.latencies, n=100, method="inclusive")
        parts = {**busy.parts, "generator": answers.processor / answers.seconds}
        told = {
            "answered": answers.rate,
            **{f"p{percent}": percentiles[percent - 1] for percent in (50, 90, 99)},
            "max": max(answers.latencies),
            **parts,
            "rest": (os.cpu_count() or 1) - busy.idle - sum(parts.values()),
            "idle": busy.idle,
            "backends": busy.backends_at_once,
            "WAL": busy.wal / len(answers.latencies),
            "disk": busy.disk / len(answers.latencies),
            "sent late": statistics.median(answers.lateness),
        }
        for name, value in told.items():
            self.figures[name].append(value)
        self.waits.update(busy.backends)

    def figure(self, name: str) -> float:
        return max(self.figures[name]) if name == "max" else statistics.median(self.figures[name])


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    asked = parser.parse_args()
    with ExitStack() as exits:
        url = exits.enter_context(stack())
        database = exits.enter_context(connect(settings().aws_pgsql_path.get_secret_value()))
        generator = exits.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        database.run(PEOPLE.format(count=PEOPLE_COUNT))
        database.run(RECORDS.format(each=RECORDS_EACH))
        database.run("VACUUM ANALYZE")
        watch = Watch(database)

        def measured(send: Callable[..., Answers], *arguments: object) -> tuple[Answers, Busy]:
            sending = generator.submit(send, url, *arguments)
            busy = watch.until(sending.done)
            return sending.result(), busy

        steps = list(_steps(measured, asked.seconds))
        resting = generator.submit(time.sleep, WARM_UP + asked.seconds)
        at_rest = watch.until(resting.done)
        for _ in range(asked.rounds):
            calls = _calls()  # their tokens outlive a round
            for step in steps:
                step.add(*measured(offer, calls[step.kind], step.rate, asked.seconds))
        command = f"python -m benchmarks.load --rounds {asked.rounds} --seconds {asked.seconds:g}"
        notes = [*NOTES, _waits(steps), _saturated(steps)]
        write("load", _rows(steps), command=command, notes=notes, database=database, table=_table(steps))
        costs = _costs(steps, at_rest)
        write("calls", costs, command=command, notes=_cost_notes(costs, at_rest), database=database)
    _plot(steps)


@contextmanager
def stack() -> Iterator[str]:
    """The URL of a local stack of its own, whose settings this process takes for its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
        with Stack(Settings(port=0, edge_port=0, data_dir=Path(folder))) as started:
            os.environ.update(started.environment)
            settings.cache_clear()
            yield started.url


def _calls() -> Mapping[str, Sequence[Call]]:
    """By anybody, by kind."""
    charge = json.dumps({"type": "addition", "arguments": [1.5, 2]}).encode()
    people = [UUID(int=number + 1) for number in range(PEOPLE_COUNT)]
    signed_in = [tokens.issue(person, person, "client").access for person in people]
    charges = [Call("POST", "/api/v1/process_operation", token, charge) for token in signed_in]
    pages = [Call("GET", "/api/v1/records?page_size=10", token) for token in signed_in]
    return dict(zip(KINDS, (charges, pages, charges + pages), strict=True))


def _steps(measured: Callable[..., tuple[Answers, Busy]], seconds: float) -> Iterator[Step]:
    """The loads of each kind, by what a closed loop is answered."""
    for kind, calls in _calls().items():
        measured(wait_for_each, calls, AT_ONCE, WARM_UP)
        answers, _ = measured(wait_for_each, calls, AT_ONCE, seconds)
        for share in SHARES:
            yield Step(kind, share, share * answers.rate)


def _rows(steps: Sequence[Step]) -> list[Row]:
    """Each figure of the table, for the JSON."""
    return [
        Row(f"{step.kind}, {step.rate:.0f}/s: {name}", unit, step.figures[name])
        for step in steps
        for name, unit in COLUMNS.items()
    ]


def _costs(steps: Sequence[Step], at_rest: Busy) -> list[Row]:
    """Processor time of one call, over all loads, without the idle use of each part."""
    rows: list[Row] = []
    for kind in KINDS:
        samples: dict[tuple[str, str], list[float]] = defaultdict(list)
        for figures in (step.figures for step in steps if step.kind == kind):
            for part in ("gateway", "Postgres"):
                taken = zip(figures[part], figures["answered"], strict=True)
                samples[f"{part}'s processor", "ms"].extend(
                    1000 * (busy - at_rest.parts[part]) / rate for busy, rate in taken
                )
            samples["write-ahead log", "bytes"].extend(figures["WAL"])
            samples["the database's growth", "bytes"].extend(figures["disk"])
        rows.extend(Row(f"{kind}: {what}", unit, taken) for (what, unit), taken in samples.items())
    return rows


def _cost_notes(costs: Sequence[Row], at_rest: Busy) -> list[str]:
    function = next(row.median for row in costs if row.what == "both: gateway's processor")
    resting = ", ".join(f"{part} {figure(taken)}" for part, taken in at_rest.parts.items())
    return [
        f"Processors used without calls, which the figures of a call leave out: {resting}.",
        f"**In money**, by the gateway's processor alone: {money.of_calls('calls', function)}.",
    ]


def _saturated(steps: Sequence[Step]) -> str:
    """Who takes the processors at the greatest load."""
    told = []
    for step in (step for step in steps if step.share == max(SHARES)):
        parts = sorted(("gateway", "Postgres", "generator", "rest"), key=step.figure, reverse=True)
        idle = f"idle {figure(step.figure('idle'))}"
        told.append(
            f"{step.kind}: {', '.join(f'{part} {figure(step.figure(part))}' for part in parts)}, {idle}"
        )
    return f"**What saturates first**, processors at the greatest load, most first: {'; '.join(told)}."


def _table(steps: Sequence[Step]) -> str:
    """A line for each load."""
    lines = [f"| call | offered | {' | '.join(COLUMNS)} |", "| --- " * (len(COLUMNS) + 2) + "|"]
    for step in steps:
        cells = [
            step.kind,
            f"{step.rate:.0f}, {step.share:.0%}",
            *(figure(step.figure(name)) for name in COLUMNS),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _waits(steps: Sequence[Step]) -> str:
    """What the backends did at the greatest load, and how late the generator was."""
    told = []
    for step in steps:
        if step.share == max(SHARES) and step.waits:
            seen = ", ".join(
                f"{event} {count / step.waits.total():.0%}" for event, count in step.waits.most_common(3)
            )
            told.append(f"{step.kind}: {seen}")
    late = max(step.figure("sent late") for step in steps)
    return (
        f"The backends at the greatest load, by what they waited for: {'; '.join(told)}. Half of the calls"
        f" were sent within {figure(late)} ms of when they were due, at every load."
    )


def _plot(steps: Sequence[Step]) -> None:
    colors = [color for color in ("#1f6feb", "#d1682a", "#2a8f4f") for _ in PLOTTED]
    chart = pygal.XY(
        title="Latency in ms over calls offered a second; p99 dashed",
        logarithmic=True,
        style=CleanStyle(colors=colors),
        js=(),
        width=800,
        height=450,
        legend_at_bottom=True,
    )
    for kind in KINDS:
        for name, stroke in PLOTTED.items():
            points = [(step.rate, step.figure(name)) for step in steps if step.kind == kind]
            chart.add(f"{kind} {name}", points, stroke_style=stroke)
    PLOT.write_bytes(chart.render())


if __name__ == "__main__":
    main()
