"""Measure latency and used resources by load, up to more calls than the local stack can handle.

A closed loop first measures the rate that the stack can handle. Then an open loop (`benchmarks.open_loop`)
sends charges, pages of records, and both, at shares of that rate. Generator, gateway, Postgres and other
processes share one machine. So the results show at which load a queue begins and which part saturates first,
but not the rates on AWS.
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
from benchmarks.charge import INSERT_USERS
from benchmarks.embedded_postgres import connect
from benchmarks.open_loop import Call, Responses, offer, wait_for_each
from benchmarks.report import PLOT, Row, figure, write
from localstack.stack import GATEWAY, Stack
from localstack.stack_settings import Settings
from shared.auth import tokens
from shared.settings import settings

USER_COUNT, RECORDS_EACH = 500, 200
AT_ONCE = 8
"""Callers of the closed loop: twice the gateway's processes, so that no process is idle."""
WARM_UP_SECONDS = 2.0
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.2)
"""Loads of the open loop, as shares of the closed loop's rate."""
KINDS = ("charge", "page", "both")
COLUMNS = {
    "completed": "/s", "p50": "ms", "p90": "ms", "p99": "ms", "max": "ms", "gateway": "processors",
    "Postgres": "processors", "generator": "processors", "rest": "processors", "idle": "processors",
    "backends": "at once",
}  # fmt: skip
"""The columns of the table and their units."""
PLOTTED = {"p50": {"width": 2}, "p99": {"width": 2, "dasharray": "5, 5"}}
"""The line style of each percentile."""

RECORDS = """
INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date)
SELECT uuidv7(), users.id, operations.id, '[1.5, 2]', '3.5', 5, 1e12, now() - n * interval '1 minute'
FROM users, operations, generate_series(1, {each}) n
WHERE users.email LIKE '%@bench.example' AND operations.type = 'addition'"""

NOTES = (
    "A charge is `POST /process_operation`, a page is `GET /records?page_size=10`. Each call is from a random"
    f" one of {USER_COUNT} users with at least {RECORDS_EACH} records; both means half charges and half"
    " pages.",
    "Offered: calls a second, and their share of the closed loop's rate. p50 to max: ms from the random time"
    " at which a call was due until its response was read. Gateway to rest: processors used, on average; the"
    " rest is the stack's logs, its S3 and SQS, the operating system, and other processes. Backends:"
    " Postgres' backends that were active at the same time. Each figure is the median of the rounds,"
    " max the maximum.",
)


class Step:
    """The figures of one kind of call at one load, with one value for each round."""

    def __init__(self, kind: str, share: float, rate: float) -> None:
        self.kind, self.share, self.rate = kind, share, rate
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.waits: Counter[str] = Counter()

    def add(self, responses: Responses, busy: Busy) -> None:
        percentiles = statistics.quantiles(responses.latencies, n=100, method="inclusive")
        parts = {**busy.parts, "generator": responses.processor / responses.seconds}
        values = {
            "completed": responses.rate,
            **{f"p{percent}": percentiles[percent - 1] for percent in (50, 90, 99)},
            "max": max(responses.latencies),
            **parts,
            "rest": (os.cpu_count() or 1) - busy.idle - sum(parts.values()),
            "idle": busy.idle,
            "backends": busy.backends_at_once,
            "WAL": busy.wal / len(responses.latencies),
            "disk": busy.disk / len(responses.latencies),
            "sent late": statistics.median(responses.lateness),
        }
        for name, value in values.items():
            self.figures[name].append(value)
        self.waits.update(busy.backends)

    def figure(self, name: str) -> float:
        return max(self.figures[name]) if name == "max" else statistics.median(self.figures[name])


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    with ExitStack() as exits:
        running = exits.enter_context(stack())
        database = exits.enter_context(connect(settings().database_url()))
        generator = exits.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        database.run(INSERT_USERS.format(count=USER_COUNT))
        database.run(RECORDS.format(each=RECORDS_EACH))
        database.run("VACUUM ANALYZE")
        watch = Watch(database, gateway=running.pid(GATEWAY))

        def measured(send: Callable[..., Responses], *arguments: object) -> tuple[Responses, Busy]:
            sending = generator.submit(send, running.url, *arguments)
            busy = watch.until(sending.done)
            return sending.result(), busy

        steps = list(_steps(measured, options.seconds))
        resting = generator.submit(time.sleep, WARM_UP_SECONDS + options.seconds)
        at_rest = watch.until(resting.done)
        for _ in range(options.rounds):
            calls = _calls()  # with new tokens, which are valid for longer than a round
            for step in steps:
                step.add(*measured(offer, calls[step.kind], step.rate, options.seconds))
        command = f"python -m benchmarks.load --rounds {options.rounds} --seconds {options.seconds:g}"
        notes = [*NOTES, _waits(steps), _saturated(steps)]
        write("load", _rows(steps), command=command, notes=notes, database=database, table=_table(steps))
        costs = _costs(steps, at_rest)
        write("calls", costs, command=command, notes=_cost_notes(costs, at_rest), database=database)
    _plot(steps)


@contextmanager
def stack() -> Iterator[Stack]:
    """Start a local stack for the block, and set this process's settings to it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
        with Stack(Settings(port=0, edge_port=0, data_dir=Path(folder))) as started:
            os.environ.update(started.environment)
            settings.cache_clear()
            yield started


def _calls() -> Mapping[str, Sequence[Call]]:
    """Return the calls of each kind, one of each user."""
    charge = json.dumps({"type": "addition", "arguments": [1.5, 2]}).encode()
    user_ids = [UUID(int=number + 1) for number in range(USER_COUNT)]
    access_tokens = [tokens.issue(user_id, user_id, "client").access for user_id in user_ids]
    charges = [Call("POST", "/api/v1/process_operation", token, charge) for token in access_tokens]
    pages = [Call("GET", "/api/v1/records?page_size=10", token) for token in access_tokens]
    return dict(zip(KINDS, (charges, pages, charges + pages), strict=True))


def _steps(measured: Callable[..., tuple[Responses, Busy]], seconds: float) -> Iterator[Step]:
    """Yield the loads of each kind, as shares of a closed loop's rate."""
    for kind, calls in _calls().items():
        measured(wait_for_each, calls, AT_ONCE, WARM_UP_SECONDS)
        responses, _ = measured(wait_for_each, calls, AT_ONCE, seconds)
        for share in SHARES:
            yield Step(kind, share, share * responses.rate)


def _rows(steps: Sequence[Step]) -> list[Row]:
    """Return each figure of the table, for the JSON file."""
    return [
        Row(f"{step.kind}, {step.rate:.0f}/s: {name}", unit, step.figures[name])
        for step in steps
        for name, unit in COLUMNS.items()
    ]


def _costs(steps: Sequence[Step], at_rest: Busy) -> list[Row]:
    """Return the resources of one call, over all loads, without the processor use at rest."""
    rows: list[Row] = []
    for kind in KINDS:
        samples: dict[tuple[str, str], list[float]] = defaultdict(list)
        for figures in (step.figures for step in steps if step.kind == kind):
            for part in ("gateway", "Postgres"):
                rounds = zip(figures[part], figures["completed"], strict=True)
                samples[f"{part}'s processor", "ms"].extend(
                    1000 * (busy - at_rest.parts[part]) / rate for busy, rate in rounds
                )
            samples["write-ahead log", "bytes"].extend(figures["WAL"])
            samples["the database's growth", "bytes"].extend(figures["disk"])
        rows.extend(Row(f"{kind}: {what}", unit, values) for (what, unit), values in samples.items())
    return rows


def _cost_notes(costs: Sequence[Row], at_rest: Busy) -> list[str]:
    function = next(row.median for row in costs if row.what == "both: gateway's processor")
    resting = ", ".join(f"{part} {figure(used)}" for part, used in at_rest.parts.items())
    return [
        f"Processors used without calls, not included in the figures of a call: {resting}.",
        f"**In money**, from only the gateway's processor time: {money.of_calls('calls', function)}.",
    ]


def _saturated(steps: Sequence[Step]) -> str:
    """Return the note about the processors that each part uses at the highest load."""
    parts_by_kind = []
    for step in (step for step in steps if step.share == max(SHARES)):
        parts = sorted(("gateway", "Postgres", "generator", "rest"), key=step.figure, reverse=True)
        idle = f"idle {figure(step.figure('idle'))}"
        parts_by_kind.append(
            f"{step.kind}: {', '.join(f'{part} {figure(step.figure(part))}' for part in parts)}, {idle}"
        )
    return f"**What saturates first**, by processors used at the highest load: {'; '.join(parts_by_kind)}."


def _table(steps: Sequence[Step]) -> str:
    """Return the table, with a line for each load."""
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
    """Return the note about the backends at the highest load, and the generator's delay."""
    events_by_kind = []
    for step in steps:
        if step.share == max(SHARES) and step.waits:
            events = ", ".join(
                f"{event} {count / step.waits.total():.0%}" for event, count in step.waits.most_common(3)
            )
            events_by_kind.append(f"{step.kind}: {events}")
    delay = max(step.figure("sent late") for step in steps)
    return (
        f"The backends at the highest load, by the event that they waited for: {'; '.join(events_by_kind)}."
        f" At every load, half of the calls were sent within {figure(delay)} ms of their due time."
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
