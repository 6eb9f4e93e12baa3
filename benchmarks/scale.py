"""Compare the service's actions on small and on large tables: `python -m benchmarks.scale --data FOLDER`.

Each size is a database of its own on one server in the folder, filled once (benchmarks/scale_fill.py) and
kept. Each round measures all sizes in random order, so that a slow phase of the machine affects all of them.
"""

import os
import random
import shutil
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pg8000.native

from benchmarks.embedded_postgres import connect
from benchmarks.lists import silence
from benchmarks.report import Row, figure, write
from benchmarks.scale_actions import ACTIONS, Action, Batch, Measurement, full_audit
from benchmarks.scale_fill import fill, folder_bytes, to_stderr
from localstack.postgres import DATABASE, Postgres
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.database import dispose_connections
from shared.settings import settings

LARGEST = 100_000_000
"""Rows for which a fill prints the estimated time and disk."""
AIM = 1.5
Samples = dict[Action, dict[int, list[Measurement]]]
# Without a log of new tables and without waiting for the disk: a failed fill begins again.
FILL_SETTINGS = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "fsync": "off",
    "shared_buffers": "'1GB'",
    "max_parallel_maintenance_workers": "1",
    "autovacuum": "off",
}
MEASURED_SETTINGS = {
    "autovacuum": "off",
    # Flushes of the disk took 0.1 to 3 ms by chance.
    "synchronous_commit": "off",
    # What RDS gives an instance with 4 GB of memory.
    "shared_buffers": "'1GB'",
}


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="a size; repeat it for more than one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-full-audit", action="store_true", help="skip the action that reads all entries")
    parser.add_argument("--data", type=Path, help="keep the filled databases in this folder, and reuse them")
    options = parser.parse_args()
    sizes = sorted(set(options.rows or [1_000_000, LARGEST]))
    with _folder(options.data) as folder:
        fill_missing(folder, sizes)
        with Stack(Settings(port=0, edge_port=0, data_dir=folder, gateway_workers=1)) as stack:
            stack.kill("batch")
            os.environ.update(stack.environment)
            urls = {size: _url(os.environ["AWS_PGSQL_PATH"], size) for size in sizes}
            samples = _measure(urls, options.rounds, with_full_audit=not options.no_full_audit)
            with connect(urls[sizes[-1]]) as connection:
                _report(sizes, samples, options.rounds, connection)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """Yield the folder to keep, or else one on disk that is deleted afterwards."""
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        kept.chmod(0o755)  # the embedded Postgres may run as another user
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True, dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def fill_missing(folder: Path, sizes: Sequence[int]) -> None:
    """Fill the databases of the sizes that the folder does not have, and print what each one takes."""
    postgres = Postgres(folder / "postgres")
    postgres.start()
    try:
        with connect(postgres.url) as connection:
            missing = [size for size in sizes if not _is_filled(connection, size)]
            _set(connection, FILL_SETTINGS if missing else MEASURED_SETTINGS)
        if not missing:
            return
        postgres.stop()
        postgres = Postgres(folder / "postgres")
        postgres.start()
        with connect(postgres.url) as connection:
            for size in missing:
                _fill_one(connection, postgres.url, size, folder)
            _set(connection, MEASURED_SETTINGS)
            connection.run("CHECKPOINT")
    finally:
        postgres.stop()


def _set(connection: pg8000.native.Connection, settings: dict[str, str]) -> None:
    """Set the server's settings from its next start on, and reset all others."""
    connection.run("ALTER SYSTEM RESET ALL")
    for name, value in settings.items():
        connection.run(f"ALTER SYSTEM SET {name} = {value}")


def _is_filled(connection: pg8000.native.Connection, size: int) -> bool:
    """Return whether the size's database has the comment that a complete fill leaves."""
    found = connection.run(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :name",
        name=_database(size),
    )
    return bool(found) and found[0][0] == "filled"


def _fill_one(connection: pg8000.native.Connection, url: str, size: int, folder: Path) -> None:
    name, began, before = _database(size), time.monotonic(), folder_bytes(folder)
    free = shutil.disk_usage(folder).free
    to_stderr(f"{size:,} rows: {free / 1e9:,.0f} GB of the disk are free")
    connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    connection.run(f"CREATE DATABASE {name}")
    use(_url(url, size))
    from migrations.handler import handler  # Alembic takes half a second to import

    handler({}, None)
    dispose_connections()
    with _peak(folder) as peak:
        fill(_url(url, size), size, to_stderr)
    connection.run(f"COMMENT ON DATABASE {name} IS 'filled'")
    seconds, (kept,) = (
        time.monotonic() - began,
        connection.run("SELECT pg_database_size(:name::name)", name=name)[0],
    )
    used = max(peak) - before
    to_stderr(f"{size:,} rows: {seconds:,.0f} s, {kept / 1e9:.2f} GB, at most {used / 1e9:.2f} GB meanwhile")
    to_stderr(
        f"at this rate, {LARGEST:,} rows take {seconds * LARGEST / size / 60:,.0f} minutes and"
        f" {kept * LARGEST / size / 1e9:,.0f} GB, at most {used * LARGEST / size / 1e9:,.0f} GB meanwhile"
    )


@contextmanager
def _peak(folder: Path) -> Iterator[list[int]]:
    """Yield a list with the folder's size, to which each increase is appended during the block."""
    sizes, ended = [folder_bytes(folder)], threading.Event()

    def watch() -> None:
        while not ended.wait(2):
            sizes.append(max(sizes[-1], folder_bytes(folder)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()


def _rows(action: Action, unit: str, samples: dict[int, list[float]]) -> list[Row]:
    """Return a row for each size. The baseline is the smallest one."""
    smallest, *_ = names = [f"{action.what}, {unit}, {size:,} rows" for size in samples]
    aim = f"≤ {AIM}" if action.is_bounded and unit == "ms" else ""
    return [
        Row(name, unit, found, *(() if name == smallest else (smallest, aim)))
        for name, found in zip(names, samples.values(), strict=True)
    ]


def _database(size: int) -> str:
    return f"rows_{size}"


def _url(url: str, size: int) -> str:
    return url.replace(f"/{DATABASE}?", f"/{_database(size)}?")


def use(url: str) -> None:
    """Make the service in this process and in its children use a database."""
    os.environ.setdefault("CONFIG_TYPE", "testing")
    os.environ.setdefault("JWT_SECRET_KEY", "the secret of the benchmarks, 32 bytes or more")
    os.environ["AWS_PGSQL_PATH"] = url
    settings.cache_clear()
    dispose_connections()


def _measure(urls: dict[int, str], rounds: int, *, with_full_audit: bool) -> Samples:
    """Return each action's measurements by size, one for each round."""
    actions = [*ACTIONS, Batch()]
    samples: Samples = {action: {size: [] for size in urls} for action in actions}
    with silence():
        for number in range(rounds):
            for size in random.sample(list(urls), len(urls)):
                _vacuum(urls[size])
                use(urls[size])
                to_stderr(f"round {number + 1} of {rounds}, {size:,} rows")
                for action in actions:
                    samples[action][size].append(action.measure(urls[size]))
        if with_full_audit:
            samples[full_audit] = {}
            for size, url in urls.items():
                use(url)
                to_stderr(f"full audit, {size:,} rows")
                samples[full_audit][size] = [full_audit.measure(url)]
    return samples


def _vacuum(url: str) -> None:
    """Vacuum now what the round before has written, and never while an action is measured."""
    with connect(url) as connection:
        for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
            connection.run(statement)


def _report(
    sizes: Sequence[int], samples: Samples, rounds: int, connection: pg8000.native.Connection
) -> None:
    rows, lines = list[Row](), list[str]()
    for action, by_size in samples.items():
        times = _rows(action, "ms", {size: [one.milliseconds for one in by_size[size]] for size in sizes})
        pages = _rows(action, "pages", {size: [one.pages for one in by_size[size]] for size in sizes})
        rows += [*times, *pages]
        cells = [action.what]
        for measured in (times, pages):
            cells += [figure(row.median) for row in measured]
            cells += [f"{row.ratio(measured[0]):.2f}" for row in measured[1:]]
        lines.append(f"| {' | '.join([*cells, times[-1].aim])} |")
    head = ["action"]
    for unit in ("ms", "pages"):
        head += [f"{unit}, {size:,}" for size in sizes] + [f"ratio at {size:,}" for size in sizes[1:]]
    head.append("aim of the time")
    table = "\n".join([f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *lines])
    options = " ".join(f"--rows {size}" for size in sizes) + f" --rounds {rounds}"
    if full_audit not in samples:
        options += " --no-full-audit"
    ((bytes_on_disk,),) = connection.run("SELECT pg_database_size(current_database())")
    write(
        "scale",
        rows,
        command=f"python -m benchmarks.scale {options} --data FOLDER",
        notes=[
            f"Medians of the rounds' medians, {rounds} rounds. The ratio is to {sizes[0]:,} rows."
            f" The database of {sizes[-1]:,} rows has {bytes_on_disk / 1e9:.1f} GB."
        ],
        database=connection,
        table=table,
    )


if __name__ == "__main__":
    main()
